"""Rude clients, several at once, as steps that hypothesis puts together; and an honest one behind them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bench.messages import GOOD, MESSAGES, ask, event, listening, speaking, speech
from bench.witness import Witness

PATIENCE_S = 10.0  # for what comes at once
FULL = 2**18  # bytes that wait to be sent to a server that reads no more
ENDS = {1007: "no UTF-8", 1013: "lagging"}  # a server may close for these
LOST = 1006  # what is seen of that where more was under way
UNSETTLING = [listening(turn_detection=None), event("input_audio_buffer.clear")]


class Failed(AssertionError):
    """Something that must hold does not."""

    seen: ClassVar[list[str]] = []  # all of them, while hypothesis looks for the fewest steps

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.seen.append(what)


@dataclass(slots=True)
class World:
    """The server, and what is counted. `errors` is where its stderr goes."""

    url: str
    errors: Path
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    messages: int = 0
    examples: int = 0
    connections: int = 0
    told: Counter[str] = field(default_factory=Counter)  # errors by code
    honest: list[float] = field(default_factory=list)  # seconds that an honest client took
    limit_s: float = 10.0  # that it may take
    progress: Callable[[], None] = lambda: None
    _read: int = 0  # of `errors`

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def open(self, extras: bool, owners: dict[str, int]) -> Client:
        """One that has been let in; the seat of one that has just gone may not be free yet."""
        for _ in range(100):
            url = f"{self.url.replace('http', 'ws', 1)}/v1/realtime{'?extras=1' if extras else ''}"
            socket = await connect(url, compression=None, max_size=None, close_timeout=1, open_timeout=PATIENCE_S)
            first = await asyncio.wait_for(socket.recv(), PATIENCE_S)
            if json.loads(first)["type"] == "session.created":
                self.connections += 1
                client = Client(self, socket, Witness(self.connections, owners, self.told), extras)
                client.witness.hear(str(first))
                return client
            await socket.close()
            await asyncio.sleep(0.1)
        raise Failed(f"nobody is let in any more: {first!r}")

    async def serve(self) -> float:
        """-> seconds until an honest client has been let in and answered. Raises Failed."""
        begin = perf_counter()
        client = await self.open(False, {})
        words = "is anybody there"
        answered = event("response.create", response={"output_modalities": ["text"]})
        await client.send([ask(f"@M {words}")[0], answered])
        await client.until(lambda: bool(client.witness.responses) and client.witness.open is None,
                           "an honest client is not answered")  # fmt: skip
        took = perf_counter() - begin
        if f"{client.witness.mark} {words}" not in client.witness.text:
            raise Failed(f"an honest client is answered {client.witness.text!r}")
        await client.leave("closed")
        client.judge()
        return took

    async def echo(self) -> None:
        """An answer that the microphone hears again, which makes the server load what cancels it."""
        async with connect(self.url.replace("http", "ws", 1) + "/v1/realtime", max_size=None) as socket:
            for text in (
                MESSAGES["server_vad alone"],
                speaking(voice="alloy"),
                *ask("This is a long answer with many different words. " * 4),
            ):
                await socket.send(text)
            late = [MESSAGES["silence"]] * 5
            told = {"type": ""}
            while told["type"] != "response.done":
                told = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
                if told["type"] == "response.output_audio.delta":
                    while late:
                        await socket.send(late.pop())
                    await socket.send(event("input_audio_buffer.append", audio=told["delta"]))

    def complaints(self) -> str:
        """What the server has written to stderr since the last time."""
        with self.errors.open(errors="replace") as file:
            file.seek(self._read)
            told = file.read()
            self._read = file.tell()
        return told


class Client:
    """One connection, and the task that reads from it."""

    def __init__(self, world: World, socket: ClientConnection, witness: Witness, extras: bool) -> None:
        self.witness, self.extras, self.left = witness, extras, False
        self.closed: int | None = None  # by the server, with this code
        self._faulty = False  # the server may cut it off
        self._world, self._socket, self._probes = world, socket, 0
        self._said = 0  # pieces of speech
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                self.witness.hear(str(await self._socket.recv(decode=True)))
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd else 1006

    async def send(self, texts: Sequence[str], fragments: int = 1) -> None:
        """Each as one frame, or in so many fragments; all of them at once."""
        self._world.messages += len(texts)
        protocol = self._socket.protocol
        if self._socket.transport.is_closing():
            await asyncio.sleep(0)
            return
        if self._socket.transport.get_write_buffer_size() > FULL:
            self.read_again()
        try:
            for text in texts:
                data = self._filled(text).encode()
                step = max(1, -(-len(data) // fragments))
                pieces = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
                protocol.send_text(pieces[0], fin=len(pieces) == 1)
                for at, piece in enumerate(pieces[1:], 2):
                    protocol.send_continuation(piece, fin=at == len(pieces))
            self._socket.send_data()
            async with asyncio.timeout(PATIENCE_S):
                await self._socket.drain()
        except TimeoutError:
            self.witness.wrong.append(f"the server has read nothing for {PATIENCE_S:.0f} s")
        # closed meanwhile, by the server (RuntimeError: the end has been sent): `judge` knows whether it may
        except (WebSocketException, OSError, RuntimeError):
            await asyncio.sleep(0)

    async def send_raw(self, data: bytes, text: bool) -> None:
        self._world.messages += 1
        if self._reading.done():
            return
        self._faulty |= text and data != b""
        protocol = self._socket.protocol
        with suppress(WebSocketException, RuntimeError, OSError):  # closed just now
            (protocol.send_text if text else protocol.send_binary)(data)
            self._socket.send_data()
        await asyncio.sleep(0)

    async def say(self, pieces: int) -> None:
        """Speech, going on where it stopped."""
        sounds = speech()
        await self.send([sounds[(self._said + n) % len(sounds)] for n in range(pieces)])
        self._said += pieces

    def stop_reading(self) -> None:
        self._faulty = True
        self._socket.transport.pause_reading()

    def read_again(self) -> None:
        if not self._socket.transport.is_closing():
            self._socket.transport.resume_reading()

    async def leave(self, how: str) -> None:
        """In one of `LEAVINGS`."""
        self.left = True
        self.read_again()
        with suppress(WebSocketException, RuntimeError, OSError):  # closed just now
            await self._leave(how)
        self._reading.cancel()
        self._socket.transport.abort()
        await asyncio.sleep(0)

    async def _leave(self, how: str) -> None:
        protocol, transport = self._socket.protocol, self._socket.transport
        if self._reading.done():
            return
        if how == "in mid-frame":
            transport.write(b"\x81\xfe\x10\x00abcd" + b"x" * 99)
        elif how == "in mid-message":
            protocol.send_text(b'{"type": "resp', fin=False)
            self._socket.send_data()
        elif how == "with a broken frame":
            transport.write(b"\xff\xff\xff\xff" * 4)
        if how == "half-closed":
            transport.write_eof()
            await asyncio.sleep(0.05)
        elif how == "closed":
            await self._socket.close()
        else:
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Raises Failed."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    if self._reading.done():
                        raise Failed(f"{otherwise}: the connection was closed ({self.closed})")
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise Failed(f"{otherwise}, within {PATIENCE_S:.0f} s") from None

    async def catch_up(self) -> None:
        """Until the server has taken all that was sent."""
        if self._reading.done():
            return
        self._probes += 1
        probe = f"probe {self._probes}"
        await self.send([event("conversation.item.retrieve", item_id="none", event_id=probe)])
        await self.until(lambda: probe in self.witness.answered or self._reading.done(),
                         f"{self.witness.mark} is not answered")  # fmt: skip

    async def settle(self) -> None:
        """Until no response is open: each that began has ended then. Raises Failed."""
        self.read_again()
        await self.send(UNSETTLING)
        begin = perf_counter()
        while True:
            await self.catch_up()
            if self.witness.open is None or self._reading.done():
                return
            if perf_counter() - begin > PATIENCE_S:
                raise Failed(f"{self.witness.mark}: {self.witness.open} does not end")
            await self.send([event("response.cancel")])

    def judge(self) -> None:
        """Raises Failed."""
        if self.closed is not None and not (self.left or self.closed in ENDS or (self._faulty and self.closed == LOST)):
            self.witness.wrong.append(f"the server closed the connection: {self.closed}")
        if self.witness.wrong:
            raise Failed(f"{self.witness.mark}: {self.witness.wrong[0]}")

    def _filled(self, text: str) -> str:
        if "@" not in text:
            return text
        items, witness = self.witness.items or ["none"], self.witness
        text = text.replace("@M", witness.mark).replace("@I", items[-1]).replace("@J", items[-1 - len(items) // 2])
        return text.replace("@R", witness.responses[-1] if witness.responses else "none").replace("@F", self.foreign)

    foreign = "none"  # an item of somebody else's


LEAVINGS = (
    "aborted", "in mid-frame", "in mid-message", "with a broken frame", "half-closed", "closed",
)  # fmt: skip
WHICH = st.integers(0, 3)  # of the connections
BURST = st.lists(
    st.tuples(st.sampled_from([*MESSAGES, *GOOD]), st.sampled_from((1, 1, 1, 2, 9))), min_size=3, max_size=24
)
QUESTIONS = ("@M hi", "@M One two three. Four five six seven. Eight nine ten.", "@M and so on " * 60)
RAW = {
    "binary": (b"\0" * 999, False), "an empty binary frame": (b"", False), "an empty frame": (b"", True),
    "no UTF-8": (b'{"type": "\xff"}', True), "half a character of UTF-8": (b'"\xe2\x82', True),
}  # fmt: skip


class Crowd(RuleBasedStateMachine):
    """Two to four connections of `world`."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[Client] = []
        self._owners: dict[str, int] = {}

    @initialize(extras=st.lists(st.booleans(), min_size=2, max_size=4))
    def enter(self, extras: list[bool]) -> None:
        for wanted in extras:
            self.clients.append(self.world.run(self.world.open(wanted, self._owners)))

    @rule(which=WHICH, burst=BURST, fragments=st.sampled_from((1, 1, 3)))
    def send(self, which: int, burst: list[tuple[str, int]], fragments: int) -> None:
        client = self._client(which)
        self.world.run(client.send([MESSAGES[name] for name, times in burst for _ in range(times)], fragments))

    @rule(which=WHICH, burst=BURST)
    def send_and_wait(self, which: int, burst: list[tuple[str, int]]) -> None:
        client = self._client(which)
        client.read_again()
        self.world.run(client.send([MESSAGES[name] for name, times in burst for _ in range(times)]))
        self.world.run(client.catch_up())

    @rule(which=WHICH, text=st.sampled_from(QUESTIONS), wait_s=st.sampled_from((0.0, 0.02, 0.2)))
    def ask(self, which: int, text: str, wait_s: float) -> None:
        self.world.run(self._client(which).send(ask(text)))
        self.world.run(asyncio.sleep(wait_s))

    @rule(which=WHICH, pieces=st.sampled_from((1, 10, 60)), pause=st.sampled_from((0, 10, 40)))
    def speak(self, which: int, pieces: int, pause: int) -> None:
        client = self._client(which)
        self.world.run(client.say(pieces))
        self.world.run(client.send([MESSAGES["silence"]] * pause))

    @rule(which=WHICH, kind=st.sampled_from(list(RAW)))
    def send_raw(self, which: int, kind: str) -> None:
        self.world.run(self._client(which).send_raw(*RAW[kind]))

    @rule(which=WHICH)
    def stop_reading(self, which: int) -> None:
        self._client(which).stop_reading()

    @rule(which=WHICH)
    def read_again(self, which: int) -> None:
        self._client(which).read_again()

    @rule(seconds=st.sampled_from((0.001, 0.01, 0.05)))
    def wait(self, seconds: float) -> None:
        self.world.run(asyncio.sleep(seconds))

    @rule(which=WHICH, how=st.sampled_from(LEAVINGS), extras=st.booleans(), asked=st.sampled_from((None, *QUESTIONS)))
    def come_back(self, which: int, how: str, extras: bool, asked: str | None) -> None:
        """After leaving in the middle of whatever there is, or of an answer that has just been asked for."""
        client = self._client(which)
        if asked is not None:
            self.world.run(client.send(ask(asked)))
        self.world.run(client.leave(how))
        client.judge()
        self.clients[which % len(self.clients)] = self.world.run(self.world.open(extras, self._owners))

    @invariant()
    def nothing_is_wrong(self) -> None:
        for client in self.clients:
            client.judge()

    def teardown(self) -> None:
        world = self.world
        try:
            for client in self.clients:
                world.run(client.settle())
                client.judge()
            if len(world.honest) % 2:  # with the others there, and after them
                world.honest.append(world.run(world.serve()))
        finally:
            for client in self.clients:
                world.run(client.leave("closed" if client.extras else "aborted"))
        if len(world.honest) % 2 == 0 or not self.clients:
            world.honest.append(world.run(world.serve()))
        world.examples += 1
        world.progress()
        if world.honest[-1] > world.limit_s:
            raise Failed(f"an honest client waited for {world.honest[-1]:.2f} s: at most {world.limit_s:.2f} s wanted")
        if complaints := world.complaints():
            raise Failed(f"the server complained: {complaints}")

    def _client(self, which: int) -> Client:
        """One whose connection stands; one that the server has closed, as it may, comes back first."""
        which %= len(self.clients)
        client = self.clients[which]
        if client.closed is not None:
            client.judge()
            self.world.run(client.leave("aborted"))
            client = self.clients[which] = self.world.run(self.world.open(client.extras, self._owners))
        others = self.clients[which - 1].witness.items
        client.foreign = others[-1] if others else "none"
        return client


def crowd_of(world: World) -> type[Crowd]:
    return type("Crowd", (Crowd,), {"world": world})
