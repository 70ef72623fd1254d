"""Who may come in: the pages that may connect, the token, the seats."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Self

from voicechat.errors import VoiceChatError

REALTIME = "realtime"  # the sub-protocol that browsers offer, and that is chosen
TOKEN_PROTOCOL = "openai-insecure-api-key."  # and the one that carries their token
AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
USUAL_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]  # scheme, host, port


class Refused(VoiceChatError):
    """No seat: `code` is for programs, the message for people."""

    code = "refused"


class Full(Refused):
    """Every seat is taken."""

    code = "server_full"


class TooMany(Refused):
    """One address has all the seats that it may have."""

    code = "too_many_sessions"


class Seat:
    """A session's place, given back once: at the end of a `with`, or by `leave`."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()


class Admission:
    """`origins` are pages elsewhere that may connect, e.g. https://example.org; without a `token` everybody may.

    A server that only this machine reaches (`local`) has no other names: a page that claims to be its own under
    another one has been sent here by a rebound DNS name.
    """

    def __init__(
        self,
        seats: int,
        per_address: int,
        origins: Collection[str] = (),
        token: str | None = None,
        local: bool = False,
    ) -> None:
        self.seats, self.per_address, self.token, self.local = seats, per_address, token, local
        self._origins = {origin_of(origin) for origin in origins} - {None}
        self._taken: Counter[str] = Counter()  # seats by address

    @property
    def free(self) -> int:
        return self.seats - self._taken.total()

    def check_origin(self, origin: str | None, host: str | None, secure: bool) -> bool:
        """Whether a page from `origin` may connect, by the headers Origin and Host of its request.

        Browsers always name the origin, so no other website can use this server through its visitors'
        browsers; programs name none, and may. `secure`: the request came over TLS.
        """
        if origin is None:
            return True
        page = origin_of(origin)
        if page is None:
            return False
        own = page in _own(host, secure) and (not self.local or _is_this_machine(page[1]))
        return own or page in self._origins

    def check_token(self, authorization: str | None, subprotocols: Sequence[str]) -> bool:
        """Whether the header Authorization, or a sub-protocol, carries the token. In constant time."""
        if self.token is None:
            return True
        scheme, _, bearer = (authorization or "").partition(" ")
        given = [bearer.strip()] if scheme.lower() == "bearer" else []
        given += [name.removeprefix(TOKEN_PROTOCOL) for name in subprotocols if name.startswith(TOKEN_PROTOCOL)]
        wanted = self.token.encode()
        return any([hmac.compare_digest(token.encode(), wanted) for token in given])

    def enter(self, address: str) -> Seat:
        """A seat for a client at this address. Raises Full or TooMany."""
        if self.free <= 0:
            raise Full(
                f"all {self.seats} places of this server are taken: try again in a few minutes"
                if self.seats > 1
                else "somebody else is talking to this server: try again in a few minutes"
            )
        household = household_of(address)
        if self._taken[household] >= self.per_address:
            raise TooMany(
                f"{self.per_address} conversations are open from your address already: end one of them, then try again"
                if self.per_address > 1
                else "a conversation is open from your address already: end it (in another tab?), then try again"
            )
        self._taken[household] += 1
        return Seat(lambda: self._free(household))

    def _free(self, household: str) -> None:
        self._taken[household] -= 1
        self._taken += Counter()  # forget who has none


def origin_of(text: str) -> Origin | None:
    """`https://host[:port]` -> its parts; None for anything else, `null` too."""
    scheme, _, authority = text.partition("://")
    found = AUTHORITY.fullmatch(authority)
    if scheme.lower() not in USUAL_PORTS or found is None:
        return None
    port = int(found["port"] or USUAL_PORTS[scheme.lower()])
    return (scheme.lower(), found["host"].lower(), port) if 0 < port < 65_536 else None


def household_of(address: str) -> str:
    """Addresses that count as one client: a home has a whole /64 of IPv6, but a single IPv4 address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address  # a Unix socket has none
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    if ip.is_link_local:  # everybody on the wire is in the same /64
        return str(ip)
    return str(ip_network((int(ip), 64), strict=False))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _own(host: str | None, secure: bool) -> set[Origin | None]:
    """The origins of this server's own pages. A proxy may have taken the TLS off, so https is one of them always."""
    schemes = ("https",) if secure else ("https", "http")
    return {origin_of(f"{scheme}://{host}") for scheme in schemes} if host else set()
