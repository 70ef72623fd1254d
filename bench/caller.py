"""A client that asks by voice, in real time, over the Realtime protocol; and one that times the server's replies."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.questions import RATE, Question, room

WIRE_RATE = 24_000
FRAME_S = 0.02
FRAME = round(WIRE_RATE * FRAME_S)
LEVEL = 0.5  # the speech peaks at 0.5 of full scale: this makes it -12 dB
PATIENCE_S = 30.0  # for an answer and its transcript, after the question
REPLY_S = 10.0  # for an event that is answered at once
REST_S = 0.4  # of silence after an answer has been played
PROBE_S = 0.05  # between two events whose replies are timed


def frames(samples: np.ndarray) -> list[bytes]:
    """Sound at 16 kHz -> what goes over the wire, 20 ms a frame, the last one filled up with silence."""
    wire = soxr.resample(samples, RATE, WIRE_RATE)
    data = (np.clip(wire, -1, 1) * 32_767).astype("<i2").tobytes()
    cut = [data[at : at + 2 * FRAME].ljust(2 * FRAME, b"\0") for at in range(0, len(data), 2 * FRAME)]
    return [message("input_audio_buffer.append", audio=base64.b64encode(piece).decode()) for piece in cut]


def message(type: str, **fields: Any) -> bytes:
    return json.dumps({"type": type, **fields}).encode()


def opened(url: str, token: str | None) -> AbstractAsyncContextManager[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    return connect(f"{url.replace('http', 'ws', 1)}/v1/realtime", additional_headers=headers, compression=None,
                   max_size=None, open_timeout=REPLY_S)  # fmt: skip


@dataclass(slots=True)
class Asked:
    """One question, and what came of it; times by the wall clock of this process."""

    question: Question
    frames: list[bytes]
    sent: float | None = None  # when the last speech sample went out
    sounded: float | None = None  # when the first sound of the newest response came
    responses: int = 0
    items: list[str] = field(default_factory=list)  # that hold the question
    heard: dict[str, str] = field(default_factory=dict)
    answer: str | None = None
    failed: str | None = None

    @property
    def over(self) -> bool:
        complete = self.answer is not None and all(item in self.heard for item in self.items)
        return self.sent is not None and (complete or self.failed is not None)

    def row(self) -> dict[str, Any]:
        heard = " ".join(self.heard[item] for item in self.items if item in self.heard)
        row: dict[str, Any] = {"said": self.question.words, "voice": self.question.voice, "turns": self.responses}
        if self.failed is not None or self.sent is None or self.sounded is None:
            return row | {"failed": self.failed or "no sound"}
        row |= {"heard": heard, "answer": self.answer, "right": self.answer == self.question.answer}
        return row | {"client_ms": round((self.sounded - self.sent) * 1e3, 1)}


class Caller:
    """Asks its questions one after another; its microphone never stops. `detection`: how its turns are found."""

    def __init__(self, questions: Iterable[Question], detection: str = "semantic_vad") -> None:
        self._detection = detection
        self._all = [Asked(q, frames(LEVEL * q.samples + room(len(q.samples) / RATE))) for q in questions]
        self._quiet = frames(room(1.0, 2))
        self._asked: Asked | None = None
        self._saying: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._plays_until = 0.0
        self.waiting = False  # the question is over, and its response is not
        self.late_s = 0.0  # of the latest frame
        self.ids: set[str] = set()  # of every item and response it was told of
        self.errors: list[str] = []

    async def call(self, url: str, token: str | None, answered: Callable[[dict[str, Any]], None]) -> None:
        """`answered` is given each row."""
        async with opened(url, token) as socket:
            heard = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": self._detection}}
            await socket.send(
                message("session.update", session={"type": "realtime", "audio": {"input": heard}}), text=True
            )
            tasks = [asyncio.create_task(work(socket)) for work in (self._listen, self._speak)]
            try:
                await asyncio.sleep(0.5)
                for asked in self._all:
                    await self._ask(asked)
                    answered(asked.row())
                    if tasks[0].done():
                        break
            finally:
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError, ConnectionClosed):
                        await task

    async def _ask(self, asked: Asked) -> None:
        self._asked = asked
        self._saying.extend(asked.frames)
        try:
            async with asyncio.timeout(len(asked.frames) * FRAME_S + PATIENCE_S):
                while not asked.over:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            asked.failed = "; ".join(self.errors[-1:]) or f"no answer within {PATIENCE_S:g} s"
        await asyncio.sleep(max(0.0, self._plays_until - perf_counter()) + REST_S)

    async def _speak(self, socket: ClientConnection) -> None:
        begin, at = perf_counter(), 0
        while True:
            at += 1
            due = begin + at * FRAME_S
            await asyncio.sleep(max(0.0, due - perf_counter()))
            self.late_s = max(self.late_s, perf_counter() - due)
            speech = bool(self._saying)
            await socket.send(self._saying.popleft() if speech else self._quiet[at % len(self._quiet)], text=True)
            if speech and not self._saying and self._asked is not None:
                self._asked.sent = perf_counter()
                self._changed.set()

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._take(json.loads(text), perf_counter())
        finally:  # the rest is not asked
            if self._asked is not None and not self._asked.over:
                self._asked.failed = "; ".join(self.errors[-1:]) or "the connection was closed"
                self._changed.set()

    def _take(self, event: dict[str, Any], now: float) -> None:
        self.ids |= {event[key] for key in ("item_id", "response_id") if key in event}
        asked = self._asked
        if event["type"] == "error":
            self.errors.append(event["error"]["message"])
        if asked is None:
            return
        match event["type"]:
            case "input_audio_buffer.committed":
                asked.items.append(event["item_id"])
                self.waiting = True
            case "conversation.item.deleted" if event["item_id"] in asked.items:
                asked.items.remove(event["item_id"])
            case "conversation.item.input_audio_transcription.completed":
                asked.heard[event["item_id"]] = event["transcript"]
            case "response.created":
                asked.responses += 1
                asked.sounded = asked.answer = None
            case "response.output_audio.delta":
                asked.sounded = asked.sounded or now
                seconds = len(event["delta"]) * 3 / 4 / 2 / WIRE_RATE
                self._plays_until = max(self._plays_until, now) + seconds
            case "response.done":
                self.waiting = False
                self._done(asked, event["response"])
        self._changed.set()

    def _done(self, asked: Asked, response: dict[str, Any]) -> None:
        if response["status"] == "completed":
            asked.answer = "".join(p["transcript"] for item in response["output"] for p in item["content"]).strip()
        elif response["status"] == "failed":
            asked.failed = response["status_details"]["error"]["message"]


@dataclass(slots=True)
class Reply:
    kind: str
    ms: float
    busy: bool  # somebody else's question was being answered


class Prober:
    """Times events that are answered at once, while others talk."""

    def __init__(self) -> None:
        (self._sound,) = frames(room(FRAME_S, 3))
        self.replies: list[Reply] = []

    async def probe(self, url: str, token: str | None, busy: Callable[[], bool]) -> None:
        """Until it is cancelled."""
        kinds: Sequence[tuple[str, list[bytes], str]] = (
            ("append and clear", [self._sound, message("input_audio_buffer.clear")], "input_audio_buffer.cleared"),
            ("cancel", [message("response.cancel")], "error"),
            ("retrieve", [message("conversation.item.retrieve", item_id="none")], "error"),
        )
        async with opened(url, token) as socket:
            await socket.recv()
            while True:
                for kind, messages, wanted in kinds:
                    await asyncio.sleep(PROBE_S)
                    was_busy, begin = busy(), perf_counter()
                    for sent in messages:
                        await socket.send(sent, text=True)
                    async with asyncio.timeout(REPLY_S):
                        while json.loads(await socket.recv())["type"] != wanted:
                            pass
                    self.replies.append(Reply(kind, (perf_counter() - begin) * 1e3, was_busy))
