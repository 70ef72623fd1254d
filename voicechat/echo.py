"""A model without weights, for tests and for trying a microphone: it says what reached it."""

from __future__ import annotations

from collections.abc import Sequence

from voicechat.conversation import Clip, Message
from voicechat.model import Emit


class Echo:
    name = "echo"

    def memory(self) -> EchoMemory:
        return EchoMemory()


class EchoMemory:
    def prepare(self, messages: Sequence[Message]) -> None:
        pass

    def reply(self, messages: Sequence[Message], emit: Emit) -> None:
        asked = messages[-1]
        heard = [f"I heard {clip.length / 16_000:.1f} seconds of sound." for clip in asked.clips]
        read = [f"You wrote: {asked.text}."] if asked.text else []
        for word in " ".join(heard + read).split(" "):
            if not emit(word + " "):
                return

    def transcribe(self, clip: Clip) -> str:
        return f"({clip.length / 16_000:.1f} seconds of sound)"
