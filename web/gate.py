"""The gate in front of the whole application: what is at no door of `doors.py` goes no further."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import signin
from web.admission import Admission
from web.doors import SOCKETS, Door, Who, door_at
from web.metrics import Metrics
from web.seats import NotLetIn
from web.token import Guessing

SEND_S = 30.0  # a client that takes nothing for so long is cut off
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
        origins = self._admission.origins
        if scope["path"] not in SOCKETS or self._is_for_metrics(scope):
            await _deny(receive, send)
        elif not origins.answers_to(connection.headers.get("host")) or not self._allows(connection):
            self._metrics.refused("foreign_origin")
            await _deny(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        sent = _Sending(send, lambda: self._drop(connection), scope["path"])
        try:
            door = self._admitted(scope, connection)
        except _Answered as answer:
            if _brings_body(connection.headers):  # which nobody will read
                answer.response.headers["Connection"] = "close"
            await answer.response(scope, receive, sent)
            return
        if scope["path"] == "/":
            scope = {**scope, "query_string": b""}  # Gradio would look for deep links in it
        await self._app(scope, _Body(receive, door) if door.body else receive, sent)

    def _admitted(self, scope: Scope, connection: HTTPConnection) -> Door:
        """The door that a request may go through. Raises _Answered where there is none."""
        door = door_at(scope["path"])
        if door is None or (self._is_for_metrics(scope) and scope["path"] != "/metrics"):
            raise _refused(404, "there is nothing at this address")
        if scope["method"] not in door.methods:
            raise _refused(
                405, f"this address answers {' and '.join(door.methods)} alone", Allow=", ".join(door.methods)
            )
        host = connection.headers.get("host")
        if not (door.is_file or self._admission.origins.answers_to(host)):
            raise _refused(421, f"this server does not know the name {_printable(host)}: start it with --origin")
        if not (door.is_file or self._allows(connection)):
            self._metrics.refused("foreign_origin")
            raise _refused(403, "pages of other websites may not use this server: --origin lets one in")
        _check_length(connection.headers, door)
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
            print(
                f"voicechat: a page of {page} was refused; pages of this server are those of {expected}: if it is "
                f"this server's own, behind a proxy, add --origin {page}",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        return False


class _Answered(Exception):
    """A request that goes no further, and what it is answered."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _refused(status: int, message: str, **headers: str) -> _Answered:
    return _Answered(PlainTextResponse(f"{message}\n", status, headers))


class _Sending:
    """Sends on, with the headers that every answer has; a client that does not read is cut off."""

    def __init__(self, send: Send, drop: Callable[[], None], path: str) -> None:
        self._send, self._drop = send, drop
        # a new version of a script is taken at once
        self._headers = HEADERS | ({"Cache-Control": "no-cache"} if path.startswith("/static/") else {})

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            _add_headers(message, self._headers)
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(message)
        except TimeoutError:
            self._drop()
            raise


class _Body:
    """Receives a body that is not longer, and takes no longer, than the door allows."""

    def __init__(self, receive: Receive, door: Door) -> None:
        self._receive, self._door = receive, door
        self._bytes = 0
        self._until = asyncio.get_running_loop().time() + door.body_s
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            told = f"this took longer than {self._door.body_s:.0f} s to arrive: send it again over a better line\n"
            raise HTTPException(408, told, {"Connection": "close"}) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._door.body:
            raise _too_long(self._door)
        self._whole = not message.get("more_body", False)
        return message


def _brings_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_length(headers: Headers, door: Door) -> None:
    """Refuse a body by what is said of it, unread. Raises _Answered."""
    if not door.body and _brings_body(headers):
        raise _refused(413, "nothing may be sent to this address")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > door.body:
        raise _refused(413, _too_long(door).detail.strip())


def _too_long(door: Door) -> HTTPException:
    size = f"{door.body / 2**20:.0f} MiB" if door.body >= 2**20 else f"{door.body} bytes"
    return HTTPException(413, f"this is too long: send at most {size}\n", {"Connection": "close"})


def _add_headers(message: MutableMapping[str, Any], headers: Mapping[str, str]) -> None:
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    names = {name for name, _ in added}
    message["headers"] = [pair for pair in message.get("headers", []) if pair[0].lower() not in names] + added


async def _deny(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before it is one: the client sees HTTP 403."""
    with contextlib.suppress(Exception):
        await receive()
        await send({"type": "websocket.close", "code": 1008})


def _printable(text: str | None) -> str:
    return "".join(c if c.isprintable() else "?" for c in (text or "")[:200]) or "(none)"
