"""Origins: the websites whose pages may use this server, and the names by which it may be called."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address

AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
USUAL_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]  # scheme, host, port


class Origins:
    """`listed` are pages elsewhere that may connect, e.g. https://example.org.

    A server that only this machine reaches (`local`) has no other names: a page that claims to be its own under
    another one has been sent here by a rebound DNS name, or by a proxy that `listed` must name.
    """

    def __init__(self, listed: Collection[str] = (), local: bool = False) -> None:
        self.local = local
        self._listed = {page for page in map(origin_of, listed) if page}

    def allows(self, origin: str | None, host: str | None, secure: bool) -> bool:
        """Whether a page from `origin` may connect, by the headers Origin and Host of its request.

        Browsers always name the origin, so no other website can use this server through its visitors'
        browsers; programs name none, and may. `secure`: the request came over TLS.
        """
        if origin is None:
            return True
        page = origin_of(origin)
        return page is not None and page in self._own(host, secure) | self._listed

    def answers_to(self, host: str | None) -> bool:
        """Whether a request may call this server by that name, in its header Host."""
        if not self.local:
            return True
        named = {page for scheme in USUAL_PORTS if (page := origin_of(f"{scheme}://{host}"))}
        return any(_is_this_machine(page[1]) for page in named) or bool(named & self._listed)

    def judge(self, origin: str, host: str | None, secure: bool) -> dict[str, object]:
        """What a page from `origin` is told, which learns nothing else of a refused WebSocket."""
        return {"allowed": self.allows(origin, host, secure), "expected": self.expected(host, secure)}

    def expected(self, host: str | None, secure: bool) -> list[str]:
        """The origins that are allowed to a request with this header Host, as people write them."""
        return sorted(map(_written, self._own(host, secure) | self._listed))

    def _own(self, host: str | None, secure: bool) -> set[Origin]:
        """The origins of this server's own pages. A proxy may have taken the TLS off, so https is always one."""
        schemes = ("https",) if secure else ("https", "http")
        pages = {page for scheme in schemes if host and (page := origin_of(f"{scheme}://{host}"))}
        return {page for page in pages if not self.local or _is_this_machine(page[1])}


def origin_of(text: str) -> Origin | None:
    """`https://host[:port]` -> its parts; None for anything else, `null` too."""
    scheme, _, authority = text.partition("://")
    found = AUTHORITY.fullmatch(authority)
    if scheme.lower() not in USUAL_PORTS or found is None:
        return None
    port = int(found["port"] or USUAL_PORTS[scheme.lower()])
    return (scheme.lower(), found["host"].lower(), port) if 0 < port < 65_536 else None


def _written(page: Origin) -> str:
    scheme, host, port = page
    return f"{scheme}://{host}" if port == USUAL_PORTS[scheme] else f"{scheme}://{host}:{port}"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
