"""A model without weights, for tests and for trying a microphone: it says what reached it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Literal

from voicechat.conversation import Clip, Message


class Echo:
    name = "echo"
    longest_s = inf

    def memory(self) -> EchoMemory:
        return EchoMemory()


class EchoMemory:
    positions = 0
    finished: float | None = None
    marks: Literal["taught", "told", "none"] = "none"

    def refuses(self, instructions: str) -> str:
        return ""

    def prepare(self, messages: Sequence[Message]) -> None:
        pass

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        asked = messages[-1]
        heard = [f"I heard {clip.length / 16_000:.1f} seconds of sound." for clip in asked.clips]
        read = [f"You wrote: {asked.text}."] if asked.text else []
        for word in " ".join(heard + read).split(" "):
            yield word + " "

    def judge(self, clip: Clip, instructions: str) -> Iterator[str]:
        yield from ()

    def transcribe(self, clip: Clip) -> Iterator[str]:
        yield f"({clip.length / 16_000:.1f} seconds of sound)"
