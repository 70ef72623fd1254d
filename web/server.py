"""The server: how it listens, how many connections it holds and for how long, and how it stops."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from h11 import ProtocolError
from starlette.requests import HTTPConnection
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState
from websockets.exceptions import WebSocketException

from web.options import Options
from web.seats import household_of

MAX_HEADER = 32 * 2**10  # bytes
MAX_FRAME = 24 * 2**20  # bytes of a WebSocket's message; the sound in one is limited further
HEADER_S = 10.0  # to send a header, and with it to ask for a WebSocket
HANDSHAKE_S = 10.0  # of TLS
UNREAD_S = 20.0  # an answer that the client does not read to its end
PING_S = 20.0
STOP_S = 8.3  # from SIGTERM until those that are here still are cut off: `connection.GOODBYE_S`, and what follows it
CUT_OFF_S = 0.5  # for these to notice it
END_S = 9.5  # from SIGTERM until the process ends, whatever holds it up
CONNECTIONS = 500  # at once, at least
PER_ADDRESS = 100  # of these, from one address, at least
A_VISITOR = 8  # connections that a browser with a conversation may hold
# Faults of a client, which uvicorn and websockets log with a traceback.
NO_NEWS = (
    "Invalid UTF-8 sequence received from client.",
    "opening handshake failed",
)
# Raised on a connection by what came after its end, or by what could not be answered any more.
CLIENTS_FAULTS = (OSError, ProtocolError, WebSocketException)
CROWDED = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n"


class Http(H11Protocol):
    """uvicorn's HTTP with a clock: for a header that does not come, and for an answer that is not read."""

    def __init__(self, config: uvicorn.Config, state: ServerState, app_state: dict[str, Any], made: Callable[[], None]):
        super().__init__(config, state, app_state)
        self._made = made
        self._due: asyncio.TimerHandle | None = None
        self._header_due = False  # it is a header that is due

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._made()
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_protocol() is not self or (self.cycle and not self.cycle.response_complete):
            self._be_calm()  # it is a WebSocket now, or a request has come whole and its answer is being made
        elif not self._header_due:
            self._expect_header()  # this is the beginning of another request

    def on_response_complete(self) -> None:
        self._cut_off_in(UNREAD_S)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if self.cycle and not self.cycle.response_complete:  # it is this request's body that is broken
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        with suppress(ProtocolError):  # another answer has been begun, or given
            super().send_400_response(msg)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_calm()
        super().connection_lost(exc)

    def _expect_header(self) -> None:
        self._cut_off_in(HEADER_S)
        self._header_due = True

    def _cut_off_in(self, seconds: float) -> None:
        self._be_calm()
        self._due = self.loop.call_later(seconds, self.transport.abort)

    def _be_calm(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due, self._header_due = None, False


class Server(uvicorn.Server):
    """uvicorn, which counts connections before it reads from them, and says goodbye before it closes them.

    `listening` are sockets, each with its TLS context or None.
    """

    def __init__(
        self, config: uvicorn.Config, listening: dict[socket.socket, ssl.SSLContext | None], options: Options
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._total = max(CONNECTIONS, A_VISITOR * options.seats)
        self._per_address = max(PER_ADDRESS, A_VISITOR * options.per_address)
        self._entering: dict[socket.socket, str] = {}  # in TLS's handshake: the household of each
        self._tasks: set[asyncio.Task[Any]] = set()

    def drop(self, client: HTTPConnection) -> None:
        """Cut off a connection, whatever its client still wants."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None and client.client == getattr(connection, "client", None):
                transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(_log)
        await super().startup(sockets=[])  # it listens nowhere by itself
        for listening, context in self._listening.items():
            listening.setblocking(False)
            self._go(self._accept(listening, context))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.leaving.set()
        _end_in(END_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while not self.force_exit and (self.server_state.tasks or self._conversations):
                    await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_OFF_S):
                while self.server_state.tasks or self.server_state.connections:
                    await asyncio.sleep(0.01)
        await super().shutdown(list(self._listening))

    @property
    def _conversations(self) -> bool:
        return any("websocket" in type(connection).__name__.lower() for connection in self.server_state.connections)

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listening)
            except OSError:  # the client has gone already, or there are no more file descriptors
                await asyncio.sleep(0.1)
                continue
            household = household_of(address[0])
            if self._is_crowded(household):
                with suppress(OSError):
                    if context is None:
                        client.send(CROWDED)
                client.close()
            else:
                self._entering[client] = household
                self._go(self._enter(client, context))

    def _is_crowded(self, household: str) -> bool:
        """Whether all connections are taken, or all that this address may hold.

        This machine itself may hold them all: it is where a proxy stands, through which everybody comes.
        """
        clients = (getattr(connection, "client", None) for connection in self.server_state.connections)
        held = Counter(household_of(client[0]) for client in clients if client)
        held += Counter(self._entering.values())
        if held.total() >= self._total:
            return True
        return held[household] >= self._per_address and not ip_address(household.partition("/")[0]).is_loopback

    async def _enter(self, client: socket.socket, context: ssl.SSLContext | None) -> None:
        def entered() -> None:
            self._entering.pop(client, None)

        def protocol() -> asyncio.Protocol:
            return Http(self.config, self.server_state, self.lifespan.state, entered)

        handshake_s = HANDSHAKE_S if context else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                protocol, client, ssl=context, ssl_handshake_timeout=handshake_s
            )
        except (OSError, TimeoutError):  # TLS's errors too
            client.close()
        finally:
            entered()


def _end_in(seconds: float) -> None:
    """End the process with 0 then, if it has not ended by itself: a model may be in the middle of a long step."""
    if hasattr(signal, "SIGALRM"):  # not on Windows
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)


def _log(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody has caught; but not what a client did to its own connection, which is closed for it."""
    if not ("transport" in context and isinstance(context.get("exception"), CLIENTS_FAULTS)):
        loop.default_exception_handler(context)


def serve(
    app: FastAPI, options: Options, listening: socket.socket, metrics: socket.socket | None,
    certificate: Path | None, key: Path | None,
) -> None:  # fmt: skip
    """Until SIGINT or SIGTERM. `metrics`, where it is given, listens on this machine alone, without TLS."""
    config = uvicorn.Config(
        app,
        log_level="error",  # a client's bad request is no news
        access_log=False,
        http=Http,
        h11_max_incomplete_event_size=MAX_HEADER,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,  # `Server.shutdown` has waited long before
        ssl_certfile=certificate,
        ssl_keyfile=key,
        proxy_headers=False,
        server_header=False,
    )
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg not in NO_NEWS)
    config.load()
    sockets: dict[socket.socket, ssl.SSLContext | None] = {listening: config.ssl}
    if metrics is not None:
        sockets[metrics] = None
    server = Server(config, sockets, options)
    app.state.drop = server.drop
    server.run(sockets=[])
