"""The Realtime protocol without a socket: what a client sends, and what it gets, checked against openai's types."""

import asyncio
import base64
import json
from functools import cache
from typing import Annotated, get_args

import numpy as np
import soxr
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from tts.voice import load_voice
from voicechat.blocking import Worker
from voicechat.config import Config
from voicechat.echo import Echo
from voicechat.session import Session
from web.metrics import Metrics
from web.outbox import Outbox, Sound
from web.realtime import Realtime, frame

NULLABLE = {
    "previous_item_id", "turn_detection", "transcript", "status_details", "usage", "metadata", "transcription",
    "noise_reduction", "tracing", "prompt", "include", "conversation_id", "event_id",
}  # fmt: skip


@cache
def strict():
    union = get_args(RealtimeServerEvent)[0]
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


def check(event: dict) -> None:
    """As the strictest client reads it."""
    if not event["type"].startswith("voicechat."):  # ours, for clients that asked for them
        strict().validate_python(event)
        _no_nulls(event)


def _no_nulls(value) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            assert inner is not None or key in NULLABLE, key
            _no_nulls(inner)
    if isinstance(value, list):
        for inner in value:
            _no_nulls(inner)


class Chat:
    """What a connection needs of VoiceChat, with a model and a voice of the test's choice."""

    def __init__(self, memory=None, voice="tone") -> None:
        self.config, self.voice, self.memory = Config(), load_voice(voice), memory
        self.workers = Worker("model"), Worker("voice")

    def session(self, tell, clock):
        memory = self.memory or Echo().memory()
        return Session(memory, self.voice, *self.workers, self.config, tell, clock)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


class Client:
    """Sends, and collects what comes. Time for pacing is `now`, which nobody advances but the test."""

    def __init__(self, chat: Chat, extras: bool = False, ahead_s: float = 1e9) -> None:
        self.now = 0.0
        self.outbox = Outbox(lambda: self.now, ahead_s)
        self.realtime = Realtime(chat, "echo", self.outbox, extras, Metrics())
        self.events: list[dict] = []

    async def __aenter__(self):
        await self.realtime.begin()
        await self.settle()
        return self

    async def __aexit__(self, *_):
        await self.realtime.close()
        await self.drain()
        created = [e["response"]["id"] for e in self.events if e["type"] == "response.created"]
        done = [e["response"]["id"] for e in self.events if e["type"] == "response.done"]
        assert len(set(done)) == len(done) and set(done) <= set(created)

    async def send(self, type: str, **fields) -> list[dict]:
        """-> the events that came at once."""
        seen = len(self.events)
        await self.realtime.receive(json.dumps({"type": type, **fields}))
        await self.drain()
        return self.events[seen:]

    async def speak(self, *parts, format="audio/pcm") -> None:
        """Speech (16 kHz) or seconds of silence."""
        for part in parts:
            samples = np.zeros(round(part * 16_000), np.float32) if isinstance(part, int | float) else part
            if format == "audio/pcm":
                data = (soxr.resample(samples, 16_000, 24_000) * 32_767).astype("<i2").tobytes()
            else:
                data = format(soxr.resample(samples, 16_000, 8_000))
            for at in range(0, len(data), 4800):
                await self.send("input_audio_buffer.append", audio=base64.b64encode(data[at : at + 4800]).decode())

    async def write(self, text: str, **response) -> None:
        """A typed turn, answered."""
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create", **({"response": response} if response else {}))

    async def settle(self) -> None:
        """Until nothing is being made any more."""
        await self.realtime.session.idle()
        for _ in range(200):
            await self.drain()
            await asyncio.sleep(0.001)
            if not self.realtime.session.transcripts.busy and self.realtime.telling.response is None:
                break
        await self.drain()

    async def drain(self) -> None:
        while self.outbox.wait_s() == 0:
            taken = await self.outbox.get()
            for event in self.realtime.deltas(taken) if isinstance(taken, Sound) else [taken]:
                told = json.loads(frame(event))
                check(told)
                self.events.append(told)

    def kinds(self) -> list[str]:
        """The types in their order, repeated ones once."""
        types = [e["type"] for e in self.events]
        return [t for at, t in enumerate(types) if at == 0 or t != types[at - 1]]

    def of(self, type: str) -> list[dict]:
        return [e for e in self.events if e["type"] == type]

    def last(self, type: str) -> dict:
        return self.of(type)[-1]
