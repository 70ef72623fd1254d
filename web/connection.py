"""One WebSocket: who may come in, one task that reads, one that writes, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from voicechat.chat import VoiceChat
from web.admission import Admission
from web.metrics import Metrics
from web.outbox import Lagging, Outbox, Sound
from web.realtime import Realtime, frame
from web.seats import NotLetIn
from web.token import Guessing, NoToken

SEND_S = 10.0  # a frame that cannot be sent for so long has a client that does not read
FULL = 1000  # events that wait to be sent
LOOK_S = 1.0  # between two looks at the clock
GOODBYE_S = 7.5  # from the server's stop to the end of the sentence that is being spoken
FAREWELL_S = 0.5  # for what is told after it
HASTE_S = 0.2  # then, for the client to close too
REALTIME = "realtime"  # the sub-protocol that browsers offer, and that is chosen

Drop = Callable[[WebSocket], None]
"""Cuts a connection off, whatever its client still wants."""


@dataclass(frozen=True, slots=True)
class Limits:
    session_s: float = 3600.0
    idle_s: float = 600.0


class Leave(Exception):
    """The connection ends: `close` is the WebSocket's code; with a message it is said first."""

    def __init__(self, close: int, code: str, message: str = "") -> None:
        super().__init__(message)
        self.close, self.code = close, code


class Connection:
    """A client that has been let in. `leaving` is set when the server stops."""

    def __init__(
        self, socket: WebSocket, chat: VoiceChat, model: str, limits: Limits, metrics: Metrics, leaving: asyncio.Event
    ) -> None:
        self._socket, self._limits, self._metrics, self._leaving = socket, limits, metrics, leaving
        self._outbox = Outbox(monotonic)
        extras = socket.query_params.get("extras", "") in ("1", "true")
        self._realtime = Realtime(chat, model, self._outbox, extras, metrics)

    async def run(self, drop: Drop) -> None:
        """Until the client has gone, or must."""
        end: Leave | None = None
        try:
            await self._realtime.begin()
            async with asyncio.TaskGroup() as tasks:
                for work in (self._read(), self._write(), self._keep_time(), self._wait_for_the_end()):
                    tasks.create_task(work)
        except* Leave as group:
            end = _first(group)
        except* (WebSocketDisconnect, RuntimeError):  # it has gone; a send then is a RuntimeError
            pass
        finally:
            with suppress(Exception):
                await asyncio.shield(self._realtime.close())
        if end is not None:
            await say_and_close(self._socket, end, self._metrics)
            await asyncio.sleep(HASTE_S if self._leaving.is_set() else LOOK_S)
            drop(self._socket)  # one that does not read would never answer the close

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            text = message.get("text")
            if text is None:
                self._realtime.refuse_binary()
            else:
                self._metrics.received(len(text))
                await self._realtime.receive(text)
            while self._outbox.waiting > FULL:  # more is read when some of that has been sent
                await asyncio.sleep(0.01)

    async def _write(self) -> None:
        try:
            while True:
                taken = await self._outbox.get()
                events = self._realtime.deltas(taken) if isinstance(taken, Sound) else [taken]
                ahead_s = self._outbox.ahead if isinstance(taken, Sound) else None
                for event in events:
                    text = frame(event)
                    async with asyncio.timeout(SEND_S):
                        await self._socket.send_text(text)
                    self._metrics.sent(len(text), self._outbox.depth, ahead_s)
        except (Lagging, TimeoutError):
            self._metrics.lagging_closed()
            raise Leave(1013, "lagging") from None

    async def _keep_time(self) -> None:
        begun = monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            if monotonic() - begun > self._limits.session_s:
                raise Leave(
                    1001, "session_expired",
                    f"this conversation has lasted {self._limits.session_s / 60:.0f} minutes, which is the limit: "
                    "start a new one",
                )  # fmt: skip
            if monotonic() - self._realtime.active_at > self._limits.idle_s:
                raise Leave(
                    1000, "session_idle",
                    f"nothing was said for {self._limits.idle_s / 60:.0f} minutes: start again when you like",
                )  # fmt: skip

    async def _wait_for_the_end(self) -> None:
        """When the server stops, the sentence that is being spoken is finished."""
        await self._leaving.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._realtime.say_goodbye()
                while self._outbox.depth or self._outbox.ahead > 0:
                    await asyncio.sleep(0.05)
        self._realtime.fall_silent()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while self._outbox.depth:
                    await asyncio.sleep(0.02)
        raise Leave(1001, "server_stopping", "the server is being stopped: come back in a minute")


async def admit(
    socket: WebSocket, admission: Admission, chats: dict[str, VoiceChat], limits: Limits, metrics: Metrics,
    leaving: asyncio.Event, drop: Drop,
) -> None:  # fmt: skip
    """Let in a client of `/v1/realtime`, or tell it why not, as an `error` event: browsers see nothing else."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=REALTIME if REALTIME in offered else None)
    try:
        if leaving.is_set():
            raise Leave(1001, "server_stopping", "the server is being stopped: come back in a minute")
        address = socket.client.host if socket.client else ""
        try:
            admission.token.require(address, socket.headers.get("authorization"), offered, socket.cookies)
            seat = admission.seats.enter(address)
        except NotLetIn as refused:
            code = 1008 if isinstance(refused, NoToken | Guessing) else 1013
            raise Leave(code, refused.code, str(refused)) from None
    except Leave as leave:
        metrics.refused(leave.code)
        await say_and_close(socket, leave, metrics)
        return
    with seat:
        metrics.session_opened()
        try:
            model = socket.query_params.get("model", "")
            model = model if model in chats else next(iter(chats))
            await Connection(socket, chats[model], model, limits, metrics, leaving).run(drop)
        finally:
            metrics.session_closed()


async def say_and_close(socket: WebSocket, leave: Leave, metrics: Metrics) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(2):  # a client that does not read does not hold up the server
            if str(leave):
                metrics.error(leave.code)
                error = {"type": "invalid_request_error", "code": leave.code, "message": str(leave)}
                await socket.send_text(frame({"type": "error", "error": error}))
            if socket.application_state is not WebSocketState.DISCONNECTED:
                await socket.close(leave.close, leave.code)


def _first(group: BaseExceptionGroup[Leave]) -> Leave:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
