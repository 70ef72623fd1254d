"""The gate in front of the whole application: what is at no door of `doors.py` goes no further."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web import signin
from web.admission import Admission
from web.doors import SOCKETS, Door, Who, door_at
from web.limits import Body, Sending, brings_body, too_much
from web.metrics import Metrics
from web.origins import origin_of
from web.seats import NotLetIn
from web.token import Guessing

TOLD = 100  # refused origins that the operator is told of

# The page and the kiosk work with the cable pulled: a browser is told to fetch nothing from elsewhere.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' ws: wss: blob: data:",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "same-origin",  # with "no-referrer", the form's own origin would be called null
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """An ASGI middleware. `drop` cuts off the connection of a client that does not read."""

    def __init__(
        self, app: ASGIApp, admission: Admission, metrics: Metrics, drop: Callable[[HTTPConnection], None],
        metrics_port: int | None = None,
    ) -> None:  # fmt: skip
        self._app, self._admission, self._metrics, self._drop = app, admission, metrics, drop
        self._metrics_port = metrics_port  # where nothing but /metrics is answered, without a token
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if scope["path"] not in SOCKETS or self._is_for_metrics(scope):
            await _deny(receive, send)
        elif not self._allows(connection):
            self._metrics.refused("foreign_origin")
            await _deny(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        sent = Sending(send, lambda: self._drop(connection), _headers(scope["path"]))
        try:
            door = self._admitted(scope, connection)
        except _Answered as answer:
            if brings_body(connection.headers):  # which nobody will read
                answer.response.headers["Connection"] = "close"
            await answer.response(scope, receive, sent)
            return
        if scope["path"] == "/":
            scope = {**scope, "query_string": b""}  # Gradio would look for deep links in it
        with contextlib.suppress(ClientDisconnect):  # in the middle of its request: nobody reads an answer
            await self._app(scope, Body(receive, door) if door.body else receive, sent)

    def _admitted(self, scope: Scope, connection: HTTPConnection) -> Door:
        """The door that a request may go through. Raises _Answered where there is none."""
        door = door_at(scope["path"])
        if door is None or (self._is_for_metrics(scope) and scope["path"] != "/metrics"):
            raise _refused(404, "there is nothing at this address")
        if scope["method"] not in door.methods:
            raise _refused(405, f"this address answers {', '.join(door.methods)} alone", Allow=", ".join(door.methods))
        host = connection.headers.get("host")
        if door.who is Who.MEMBER and not (door.is_file or self._admission.origins.answers_to(host)):
            name = _printable(host)
            raise _refused(
                421, f"this server does not go by the name {name}: let a proxy in with --origin https://{name}"
            )
        if not (door.is_file or self._allows(connection)):
            self._metrics.refused("foreign_origin")
            raise _refused(403, "pages of other websites may not use this server: --origin lets one in")
        if wrong := too_much(connection.headers, door):
            raise _refused(413, wrong)
        if door.who is not Who.ANYBODY and not self._is_for_metrics(scope):
            self._require_token(connection, door)
        return door

    def _require_token(self, connection: HTTPConnection, door: Door) -> None:
        address = connection.client.host if connection.client else ""
        try:
            self._admission.token.require(
                address, connection.headers.get("authorization"), (), connection.cookies
            )  # fmt: skip
        except NotLetIn as refused:
            self._metrics.refused(refused.code)
            if door.who is Who.VISITOR and not isinstance(refused, Guessing):
                raise _Answered(signin.form(connection.url)) from None
            raise _Answered(signin.refusal(refused)) from None

    def _is_for_metrics(self, scope: Scope) -> bool:
        return self._metrics_port is not None and scope["server"][1] == self._metrics_port

    def _allows(self, connection: HTTPConnection) -> bool:
        """Whether the page that asks may; if not, the operator is told, once for each website."""
        origins, secure = self._admission.origins, connection.url.scheme in ("https", "wss")
        origin, host = connection.headers.get("origin"), connection.headers.get("host")
        if origins.allows(origin, host, secure):
            return True
        if origin not in self._told and len(self._told) < TOLD:
            self._told.add(str(origin))
            expected = " or ".join(origins.expected(host, secure)) or "none, for the request named no host"
            page = _printable(origin)
            own = f": if it is this server's own, behind a proxy, add --origin {page}" if origin_of(str(origin)) else ""
            told = f"voicechat: a page of {page} was refused; pages of this server are those of {expected}{own}"
            print(told, file=sys.stderr, flush=True)
        return False


class _Answered(Exception):
    """A request that goes no further, and what it is answered."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _refused(status: int, message: str, **headers: str) -> _Answered:
    return _Answered(PlainTextResponse(f"{message}\n", status, headers))


def _headers(path: str) -> dict[str, str]:
    """What every answer says. A new version of a script is taken at once."""
    return HEADERS | ({"Cache-Control": "no-cache"} if path.startswith("/static/") else {})


async def _deny(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before it is one: the client sees HTTP 403."""
    with contextlib.suppress(Exception):
        await receive()
        await send({"type": "websocket.close", "code": 1008})


def _printable(text: str | None) -> str:
    return "".join(c if c.isprintable() else "?" for c in (text or "")[:200]) or "(none)"
