"""A visitor who talks faster than real time: sound goes out as fast as it is taken, and answers are waited for."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bench.caller import FRAME_S, LEVEL, frames, message, opened
from bench.questions import RATE, Question, room

PATIENCE_S = 60.0  # for an answer, on a machine that makes sixteen at once
LIVE = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "semantic_vad"}}


class Failed(Exception):
    """A conversation went otherwise than it should; the message says how."""


@dataclass(slots=True)
class Told:
    """What a visitor was told on one connection."""

    created: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of every answer, as far as it came
    items: list[dict[str, Any]] = field(default_factory=list)
    sounds: int = 0  # pieces of answers
    busy: int = 0  # refusals because an answer was not over
    withdrawn: int = 0  # questions in which there was nothing to answer, or that went on


class Visitor:
    """One conversation over one connection or several, one after another."""

    def __init__(self, url: str, questions: Sequence[Question], clip: bytes, rng: random.Random) -> None:
        self._url, self._questions, self._clip, self._rng = url, questions, clip, rng
        self.kept: list[dict[str, Any]] = []  # the conversation, as a client takes it to the next connection

    async def talk(self, everything: bool = False) -> list[str]:
        """One to four of the things that visitors do, or everything once. -> what. Raises Failed."""
        deeds = {
            self._ask_aloud: 3, self._ask_typed: 2, self._interrupt: 2, self._upload: 1, self._drop_in_speech: 1,
            self._drop_in_answer: 1,
        }  # fmt: skip
        chosen = self._rng.choices(list(deeds), list(deeds.values()), k=self._rng.randint(1, 4))
        done = []
        connection = await self._connect()
        try:
            for deed in deeds if everything else chosen:
                done.append(deed.__name__[1:].replace("_", " "))
                connection = await deed(connection)
                connection.check()
        finally:
            await connection.leave()
        return done

    async def _connect(self) -> Connection:
        connection = Connection(await self._opened())
        await connection.send("session.update", session={"type": "realtime", "audio": {"input": LIVE}})
        for item in self.kept:
            await connection.send("conversation.item.create", item=item)
        return connection

    async def _opened(self) -> ClientConnection:
        for _ in range(100):
            socket = await opened(self._url, None)
            first = json.loads(await socket.recv())
            if first["type"] == "session.created":
                return socket
            await socket.close()
            if first["error"]["code"] not in ("server_full", "too_many_sessions"):
                raise Failed(f"not let in: {first['error']['message']}")
            await asyncio.sleep(0.1)  # the seat of the connection that was dropped is not free yet
        raise Failed("no seat within 10 s")

    # ---- what visitors do ---------------------------------------------------------------------

    async def _ask_aloud(self, connection: Connection) -> Connection:
        question = self._rng.choice(self._questions)
        answer = connection.expecting()
        await connection.say(question.samples)
        await answer.over()
        self._keep(question.words, connection)
        return connection

    async def _ask_typed(self, connection: Connection) -> Connection:
        question = self._rng.choice(self._questions)
        await connection.ask(typed(question.words))
        self._keep(question.words, connection)
        return connection

    async def _interrupt(self, connection: Connection) -> Connection:
        answer = connection.expecting()
        await connection.say(self._rng.choice(self._questions).samples)
        await answer.sounds()
        if self._rng.random() < 0.5:
            await connection.say(self._rng.choice(self._questions).samples)
        else:
            await connection.send("response.cancel")
        await answer.over()
        return connection

    async def _upload(self, connection: Connection) -> Connection:
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE_S) as client:
            for _ in range(30):
                given = await client.post("/clips?name=clip.flac", content=self._clip)
                if given.status_code != 503:
                    break
                await asyncio.sleep(1)
        if given.status_code != 200:
            raise Failed(f"the clip was refused: {given.text.strip()}")
        sound = {"type": "input_audio", "audio": base64.b64encode(given.content).decode()}
        await connection.ask({"type": "message", "role": "user", "content": [sound]})
        return connection

    async def _drop_in_speech(self, connection: Connection) -> Connection:
        await connection.say(self._rng.choice(self._questions).samples[: RATE // 2])
        return await self._come_back(connection)

    async def _drop_in_answer(self, connection: Connection) -> Connection:
        answer = connection.expecting()
        await connection.say(self._rng.choice(self._questions).samples)
        await answer.sounds()
        return await self._come_back(connection)

    async def _come_back(self, connection: Connection) -> Connection:
        connection.drop()
        return await self._connect()

    def _keep(self, words: str, connection: Connection) -> None:
        answer = connection.told.words[-1] if connection.told.words else ""
        self.kept.append(typed(words))
        if answer:
            content = [{"type": "output_text", "text": answer}]
            self.kept.append({"type": "message", "role": "assistant", "content": content})
        del self.kept[:-8]


class Connection:
    """One WebSocket, and a task that reads from it. Its microphone never stops, and is twice as fast as time."""

    def __init__(self, socket: ClientConnection) -> None:
        self.told = Told()
        self.changed = asyncio.Event()
        self._socket = socket
        self._quiet = frames(room(1.0, 2))
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._hear())]
        self._speaking = asyncio.Lock()

    @property
    def closed(self) -> str | None:
        return self._socket.close_reason or "without a reason" if self._tasks[0].done() else None

    async def send(self, type: str, **fields: Any) -> None:
        try:
            await self._socket.send(message(type, **fields), text=True)
        except ConnectionClosed as closed:
            raise Failed(f"the server closed the connection: {closed}") from None

    async def say(self, samples: np.ndarray) -> None:
        """Speech, as fast as it is taken."""
        async with self._speaking:
            for frame in frames(LEVEL * samples + room(len(samples) / RATE)):
                await self._socket.send(frame, text=True)
                await asyncio.sleep(0)

    async def ask(self, item: dict[str, Any]) -> None:
        """Put a question, and wait for its answer; one to what was said before may come first. Raises Failed."""
        await self.send("conversation.item.create", item=item)
        for _ in range(10):
            answer, busy = self.expecting(), self.told.busy
            await self.send("response.create")
            await answer.over(lambda busy=busy: self.told.busy > busy)  # type: ignore[misc]
            if self.told.busy == busy:
                return
            await answer.open_ones()
        raise Failed("ten times in a row an answer was not over")

    def expecting(self) -> Answer:
        """What comes from now on."""
        return Answer(self)

    def check(self) -> None:
        """Raises Failed where a response had two ends, or the server is at fault."""
        told = self.told
        if len(set(told.done)) != len(told.done) or not set(told.done) <= set(told.created):
            raise Failed(f"responses {told.created} ended as {told.done}")
        if told.errors:
            raise Failed(told.errors[0])

    def drop(self) -> None:
        """As a phone does in a lift."""
        self._stop()
        self._socket.transport.abort()

    async def leave(self) -> None:
        self._stop()
        await self._socket.close()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _hear(self) -> None:
        """Silence, where nothing is said."""
        with suppress(ConnectionClosed):
            for frame in itertools.cycle(self._quiet):
                async with self._speaking:
                    await self._socket.send(frame, text=True)
                await asyncio.sleep(FRAME_S / 2)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._take(json.loads(text))
                self.changed.set()
        except ConnectionClosed:
            pass
        finally:
            self.changed.set()

    def _take(self, event: dict[str, Any]) -> None:
        told = self.told
        match event["type"]:
            case "response.created":
                told.created.append(event["response"]["id"])
                told.words.append("")
            case "response.output_audio_transcript.delta":
                told.words[-1] += event["delta"]
            case "response.output_audio.delta":
                told.sounds += 1
            case "response.done":
                told.done.append(event["response"]["id"])
            case "conversation.item.deleted":
                told.withdrawn += 1
            case "error" if event["error"]["code"] == "conversation_already_has_active_response":
                told.busy += 1
            case "error" if event["error"]["code"] != "response_cancel_not_active":  # it was over just then
                told.errors.append(event["error"]["message"])


class Answer:
    """The answers that come from its making on. A question in which there was nothing to answer has none."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        told = connection.told
        self._created, self._sounds, self._withdrawn = len(told.created), told.sounds, told.withdrawn

    async def sounds(self) -> None:
        """Until one is heard. Raises Failed."""
        told = self._connection.told
        await self._wait(lambda: told.sounds > self._sounds or self._is_over, "no answer began")

    async def over(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Until one has come and none is open any more. Raises Failed."""
        await self._wait(lambda: self._is_over or unless(), "no answer ended")

    async def open_ones(self) -> None:
        """Until none is open. Raises Failed."""
        told = self._connection.told
        await self._wait(lambda: len(told.done) == len(told.created), "an answer did not end")

    @property
    def _is_over(self) -> bool:
        told = self._connection.told
        begun = len(told.created) > self._created or told.withdrawn > self._withdrawn
        return begun and len(told.done) == len(told.created)

    async def _wait(self, until: Callable[[], bool], otherwise: str) -> None:
        connection = self._connection
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not until():
                    if connection.closed is not None:
                        raise Failed(f"the server closed the connection: {connection.closed}")
                    connection.changed.clear()
                    await connection.changed.wait()
        except TimeoutError:
            raise Failed(f"{otherwise} within {PATIENCE_S:.0f} s; errors: {connection.told.errors[-1:]}") from None


def typed(words: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
