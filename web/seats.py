"""Who is let in: the seats of a server, and how many of them one household may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Self

from voicechat.errors import VoiceChatError


class NotLetIn(VoiceChatError):
    """Not let in: `code` is for programs, the message for people."""

    code = "refused"


class Full(NotLetIn):
    """Every seat is taken."""

    code = "server_full"


class TooMany(NotLetIn):
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


class Seats:
    """So many conversations at once, of which one household may have `per_address`."""

    def __init__(self, seats: int, per_address: int) -> None:
        self.seats, self.per_address = seats, per_address
        self._taken: Counter[str] = Counter()  # by household

    @property
    def free(self) -> int:
        return self.seats - self._taken.total()

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
