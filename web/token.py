"""The token: what a client must show, the cookie that stands for it, and what guessing costs."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from time import monotonic

from web.guesses import Guesses
from web.seats import NotLetIn, household_of

TOKEN_PROTOCOL = "openai-insecure-api-key."  # the sub-protocol in which browsers elsewhere carry it


class NoToken(NotLetIn):
    """The token was not shown, or another one was."""

    code = "invalid_api_key"


class Guessing(NotLetIn):
    """Too many wrong tokens have come from this address: in `wait_s` seconds it may try again."""

    code = "rate_limit_exceeded"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"too many wrong tokens came from your address: wait {self.wait_s} s, then try again")


class Token:
    """Without a `secret`, everybody may come in. Every comparison takes the same time, whatever is compared."""

    def __init__(self, secret: str | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.secret = secret
        self._guesses, self._clock = Guesses(), clock

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the cookie by which a browser that has shown the token is known again.

        Neither tells the token, and both change with it. The names of two servers differ, because the servers of
        one machine share their cookies.
        """
        key = (self.secret or "").encode()
        name, value = (hmac.new(key, of, sha256).hexdigest() for of in (b"voicechat cookie", b"voicechat visitor"))
        return f"voicechat_{name[:12]}", value

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether these are the cookies of a browser that has shown the token; or none is needed."""
        name, value = self.cookie
        return self.secret is None or _equal(cookies.get(name, ""), value)

    def require(
        self, address: str, authorization: str | None, subprotocols: Sequence[str], cookies: Mapping[str, str]
    ) -> None:
        """A client at this address comes in. Raises NoToken, or Guessing. Its cookie is enough."""
        if not self.knows(cookies):
            self.try_(address, _shown(authorization, subprotocols))

    def try_(self, address: str, given: Sequence[str]) -> None:
        """Compare what a client gives as the token, unless its address has to wait. Raises NoToken or Guessing."""
        if self.secret is None:
            return
        if not given:
            raise NoToken("this server wants a token, and none was shown: ask who runs it")
        household, now_s = household_of(address), self._clock()
        if wait_s := self._guesses.wait_s(household, now_s):
            raise Guessing(wait_s)
        if not self._is_right(given):
            self._guesses.failed(household, now_s)
            raise NoToken("this server wants a token, and this is not it: ask who runs it")
        self._guesses.succeeded(household)

    def _is_right(self, given: Sequence[str]) -> bool:
        return any([_equal(token, self.secret or "") for token in given])


def _shown(authorization: str | None, subprotocols: Sequence[str]) -> list[str]:
    """The tokens in the header Authorization and among the sub-protocols."""
    scheme, _, bearer = (authorization or "").partition(" ")
    given = [bearer.strip()] if scheme.lower() == "bearer" else []
    return given + [name.removeprefix(TOKEN_PROTOCOL) for name in subprotocols if name.startswith(TOKEN_PROTOCOL)]


def _equal(one: str, other: str) -> bool:
    # bytes, because compare_digest takes only ASCII text; a header can hold half a character
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
