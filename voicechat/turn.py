"""One turn, from the question to the last sound of its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from tts.text import pieces
from tts.voice import SpeechChunk, Voice, VoiceError
from voicechat.blocking import Worker
from voicechat.conversation import Message
from voicechat.errors import ModelError, VoiceFailed
from voicechat.events import Spoken, TextDelta
from voicechat.model import Memory
from voicechat.timing import Stopwatch


@dataclass(frozen=True, slots=True)
class Wanted:
    """How one answer is to be, where it differs from the usual."""

    messages: tuple[Message, ...] | None = None  # answer these; None: the conversation
    instructions: str | None = None  # in the place of the conversation's own
    aloud: bool = True
    remembered: bool = True  # the answer joins the conversation
    max_tokens: int | None = None


class Turn:
    """What a turn answers, and the two workers that it runs on. `tell` is told every word and every sound."""

    def __init__(
        self,
        number: int,
        messages: tuple[Message, ...],
        wanted: Wanted,
        memory: Memory,
        voice: Voice,
        thinking: Worker,
        speaking: Worker,
        clock: Stopwatch,
        tell: Callable[[TextDelta | Spoken], None],
    ) -> None:
        self.number, self.messages, self.wanted, self.memory, self.voice = number, messages, wanted, memory, voice
        self.thinking, self.speaking, self.clock, self.tell = thinking, speaking, clock, tell
        self.text = ""  # the answer so far
        self.tokens = 0  # decoded so far
        self.cut = False  # the answer reached `max_tokens`

    async def run(self) -> None:
        """Messages -> words -> speakable pieces -> sound. Raises VoiceChatError."""
        async with aclosing(self.words()) as words:
            if self.wanted.aloud:
                await self.speak(words)
            else:
                async for _ in words:
                    pass
        self.clock.mark("done_ms")

    async def speak(self, words: AsyncIterator[str]) -> None:
        async with aclosing(pieces(words)) as clauses, aclosing(self.sound(clauses)) as sound:
            async for chunk in sound:
                self.clock.mark("first_audio_ms")
                self.tell(Spoken(self.number, chunk.samples, chunk.rate, chunk.text))

    async def words(self) -> AsyncGenerator[str, None]:
        try:
            async with aclosing(self.thinking.stream(partial(self.memory.reply, self.messages))) as deltas:
                async for delta in deltas:
                    self.clock.mark("first_token_ms")
                    self.tokens += 1
                    if delta:
                        self.text += delta
                        self.tell(TextDelta(self.number, delta))
                        yield delta
                    if self.tokens == self.wanted.max_tokens:
                        self.cut = True
                        return
        except (RuntimeError, MemoryError) as error:
            raise ModelError(f"the model failed ({error}): ask again, or restart with a shorter clip") from error

    async def sound(self, clauses: AsyncIterator[str]) -> AsyncGenerator[SpeechChunk, None]:
        async for clause in clauses:
            try:
                async with aclosing(self.speaking.stream(partial(self.voice.say, clause))) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except VoiceError as error:
                raise VoiceFailed(str(error)) from error
