"""Two speaking servers, and a client for each that asks it in real time."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.caller import FRAME_S, REPLY_S, WIRE_RATE, frames, message
from bench.questions import RATE, room
from bench.trials import LEAD_S, Trial
from voicechat.terminal.wire import decoded

QUIET_S = 0.3  # after an answer has been played
PATIENCE_S = 10.0  # for an answer, after the question
AUDIBLE = 0.01  # of full scale


@dataclass(slots=True)
class Answer:
    """One answer as it reaches the client; times by this process's clock."""

    text: str = ""
    sounded: float | None = None  # when its first audible sample came
    complete: bool = False


@dataclass(slots=True)
class Heard:
    """All that came while one question was asked."""

    answers: list[Answer] = field(default_factory=list)
    plays_until: float = 0.0
    decided: float | None = None  # when it was last told that the turn is over
    errors: list[str] = field(default_factory=list)

    def begin(self, now: float) -> Answer:
        self.answers.append(Answer())
        self.plays_until = now
        return self.answers[-1]

    def sound(self, answer: Answer, samples: np.ndarray, now: float) -> None:
        """float32 at 24 kHz. It is played as it comes."""
        begins = max(self.plays_until, now)
        audible = np.flatnonzero(np.abs(samples) > AUDIBLE)
        if len(audible) and answer.sounded is None:
            answer.sounded = begins + int(audible[0]) / WIRE_RATE
        self.plays_until = begins + len(samples) / WIRE_RATE


class Side(Protocol):
    """A server that is asked."""

    name: str

    def connected(self) -> AbstractAsyncContextManager[ClientConnection]: ...

    async def greet(self, socket: ClientConnection) -> None:
        """Until it listens."""

    def frames(self, samples: np.ndarray) -> list[bytes | str]:
        """float32 at 16 kHz -> a message for every 20 ms."""
        ...

    def take(self, got: str | bytes, heard: Heard, now: float) -> None: ...


class Ours:
    """`python -m web`, by the Realtime protocol."""

    name = "voicechat"

    def __init__(self, url: str) -> None:
        self._url = f"{url.replace('http', 'ws', 1)}/v1/realtime?extras=1"
        self._answers: dict[str, Answer] = {}

    def connected(self) -> AbstractAsyncContextManager[ClientConnection]:
        return connect(self._url, compression=None, max_size=None, open_timeout=REPLY_S)

    async def greet(self, socket: ClientConnection) -> None:
        self._answers = {}
        turns = {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
        await socket.send(message("session.update", session={"type": "realtime", **turns}), text=True)
        async with asyncio.timeout(REPLY_S):
            while json.loads(await socket.recv())["type"] != "session.updated":
                pass

    def frames(self, samples: np.ndarray) -> list[bytes | str]:
        return [frame.decode() for frame in frames(samples)]

    def take(self, got: str | bytes, heard: Heard, now: float) -> None:
        event = json.loads(got)
        match event["type"]:
            case "input_audio_buffer.committed":
                heard.decided = now
            case "response.created":
                self._answers[event["response"]["id"]] = heard.begin(now)
            case "response.output_audio.delta":
                heard.sound(self._answers[event["response_id"]], decoded(event["delta"]), now)
            case "response.done" if event["response"]["status"] == "completed":
                parts = [part for item in event["response"]["output"] for part in item["content"]]
                answer = self._answers[event["response"]["id"]]
                answer.text, answer.complete = "".join(part["transcript"] for part in parts).strip(), True
            case "error":
                heard.errors.append(event["error"]["message"])


class Pipecat:
    """`rivals/pipecat_pipeline.py`: sound as bytes, RTVI's messages as text."""

    name = "pipecat"

    def __init__(self, url: str) -> None:
        self._url = url

    def connected(self) -> AbstractAsyncContextManager[ClientConnection]:
        return connect(self._url, compression=None, max_size=None, open_timeout=REPLY_S)

    async def greet(self, socket: ClientConnection) -> None:
        """It listens at once."""

    def frames(self, samples: np.ndarray) -> list[bytes | str]:
        pcm, step = (np.clip(samples, -1, 1) * 32_767).astype("<i2"), round(FRAME_S * RATE)
        return [np.resize(pcm[at : at + step], step).tobytes() for at in range(0, len(pcm), step)]

    def take(self, got: str | bytes, heard: Heard, now: float) -> None:
        answer = heard.answers[-1] if heard.answers else Answer()
        if isinstance(got, bytes):
            heard.sound(answer, np.frombuffer(got, "<i2").astype(np.float32) / 32_768, now)
            return
        told = json.loads(got)
        match told["type"]:
            case "user-stopped-speaking":
                heard.decided = now
            case "bot-llm-started":
                heard.begin(now)
            case "bot-llm-text":
                answer.text += told["data"]["text"]
            case "bot-llm-stopped":
                answer.complete = True
            case "error" | "error-response":
                heard.errors.append(str(told.get("data")))


async def ask(side: Side, trial: Trial) -> dict[str, Any]:
    """One question in real time, in a conversation of its own. The row of what came of it."""
    said, silence = side.frames(trial.heard()), side.frames(room(1.0, 2))
    heard, late_s, ended = Heard(), 0.0, None
    async with side.connected() as socket:
        await side.greet(socket)
        listening = asyncio.create_task(listen(side, socket, heard))
        begin, at = perf_counter(), 0
        begun = begin + LEAD_S  # the question
        try:
            while not over(heard, ended):
                due = begin + (at + 1) * FRAME_S  # when a microphone delivers the frame
                await asyncio.sleep(max(0.0, due - perf_counter()))
                late_s = max(late_s, perf_counter() - due)
                await socket.send(said[at] if at < len(said) else silence[at % len(silence)])
                at += 1
                if at == len(said):
                    ended = perf_counter()
        except ConnectionClosed as error:
            heard.errors.append(f"the connection was closed ({error})")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return row(trial, heard, begun, ended or perf_counter()) | {"side": side.name, "late_ms": round(late_s * 1e3, 1)}


async def listen(side: Side, socket: ClientConnection, heard: Heard) -> None:
    with suppress(ConnectionClosed):
        async for got in socket:
            side.take(got, heard, perf_counter())


def over(heard: Heard, ended: float | None) -> bool:
    """An answer to the whole question has been played, or none has come."""
    if ended is None:
        return False
    now, last = perf_counter(), answered(heard, ended)
    if last is None:
        return now > ended + PATIENCE_S
    return (last.complete and now > heard.plays_until + QUIET_S) or now > heard.plays_until + PATIENCE_S


def answered(heard: Heard, ended: float) -> Answer | None:
    """The newest answer that began to sound after the question."""
    late = [answer for answer in heard.answers if answer.sounded is not None and answer.sounded >= ended]
    return late[-1] if late else None


def row(trial: Trial, heard: Heard, begun: float, ended: float) -> dict[str, Any]:
    """`taken_over`: an answer began to sound before the question was over."""
    asked, sounded = trial.question, [answer for answer in heard.answers if answer.sounded is not None]
    told: dict[str, Any] = {"said": asked.words, "voice": asked.voice, "pause_s": trial.pause_s}
    early = [answer for answer in sounded if answer.sounded is not None and begun <= answer.sounded < ended]
    told |= {"answers": len(sounded), "taken_over": bool(early)}
    last = answered(heard, ended)
    if last is None or last.sounded is None:
        return told | {"right": False, "failed": "; ".join(heard.errors[-1:]) or "no answer after the question"}
    answer = " ".join(last.text.split())
    told |= {"answer": answer, "right": answer == asked.answer}
    decided_ms = None if heard.decided is None else round((heard.decided - ended) * 1e3, 1)
    return told | {"decided_ms": decided_ms, "client_ms": round((last.sounded - ended) * 1e3, 1)}
