"""One turn, from the question to the last sound of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeVar

from tts.text import pieces
from tts.voice import SpeechChunk, Voice, VoiceError
from voicechat.blocking import Urgency, Worker
from voicechat.conversation import Message
from voicechat.errors import ModelError, VoiceFailed
from voicechat.events import Spoken, TextDelta
from voicechat.model import Memory
from voicechat.timing import Stopwatch
from voicechat.verdict import Verdict, judge, unmarked, weighed

T = TypeVar("T")
Tell = Callable[[TextDelta | Spoken], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How one answer is to be, where it differs from the usual."""

    messages: tuple[Message, ...] | None = None  # answer these; None: the conversation
    instructions: str | None = None  # in the place of the conversation's own
    aloud: bool = True
    remembered: bool = True  # the answer joins the conversation
    max_tokens: int | None = None
    words: str = ""  # say these, and do not ask the model


class Turn:
    """What a turn answers, and the two workers that it runs on.

    It runs in secret until it is told whom to `tell`: it is begun when the speaker pauses, makes its first
    clause, and waits. `judged` is told, once, what the model makes of what was said.
    """

    def __init__(
        self,
        number: int,
        messages: tuple[Message, ...],
        wanted: Wanted,
        memory: Memory,
        voice: Voice,
        thinking: Worker,
        speaking: Worker,
        judged: Callable[[Verdict], None],
    ) -> None:
        self.number, self.messages, self.wanted, self.memory, self.voice = number, messages, wanted, memory, voice
        self.thinking, self.speaking, self.judged = thinking, speaking, judged
        self.clock = Stopwatch()
        self.text = ""  # the answer so far
        self.tokens = 0  # decoded so far
        self.cut = False  # the answer reached `max_tokens`
        self.verdict: Verdict | None = None
        self._costs: list[float] = []
        self._length = self._heard()
        self._secret: list[TextDelta | Spoken] = []
        self._tell: Tell = self._secret.append
        self._told = asyncio.Event()

    def answers(self, messages: tuple[Message, ...], wanted: Wanted) -> bool:
        """Whether this is what would be begun now: the clips may have grown since."""
        return (self.messages, self.wanted, self._length) == (messages, wanted, self._heard())

    def tell(self, tell: Tell, clock: Stopwatch) -> None:
        """It is wanted: `tell` is given every word and every sound, those first that are there already."""
        self.clock = clock.after(self.clock)
        self._tell = tell
        self._told.set()
        for event in self._secret:
            tell(event)

    async def run(self) -> None:
        """Messages -> words -> speakable pieces -> sound. Raises VoiceChatError."""
        async with aclosing(self.words()) as words:
            if self.wanted.aloud:
                await self.speak(words)
            else:
                async for _ in words:
                    await self._told.wait()
        await self._told.wait()
        self.clock.mark("done_ms")

    async def speak(self, words: AsyncIterator[str]) -> None:
        async with aclosing(pieces(words)) as clauses, aclosing(self.sound(clauses)) as sound:
            async for chunk in sound:
                if len(chunk.samples):
                    self.clock.mark("first_audio_ms")
                elif not chunk.text:
                    continue  # the voice has got on a little, no more
                self._tell(Spoken(self.number, chunk.samples, chunk.rate, chunk.text))

    async def words(self) -> AsyncGenerator[str, None]:
        """The answer as it is written, without the mark that it may begin with."""
        begun = ""
        async with aclosing(self.written()) as deltas:
            async for delta in deltas:
                self.clock.mark("first_token_ms")
                self.tokens += 1
                begun += delta
                if self.verdict is None and (verdict := judge(begun)) is not None:
                    self._judge(verdict)
                    delta = begun
                if self.verdict is not None and delta:
                    if not self.text:
                        delta = unmarked(delta).lstrip() if self.verdict.value else delta
                    self.text += delta
                    if delta:
                        self._tell(TextDelta(self.number, delta))
                        yield delta
                if self.tokens == self.wanted.max_tokens:
                    self.cut = True
                    break
        if self.verdict is None:
            self._judge(Verdict.FINISHED)

    async def written(self) -> AsyncGenerator[str, None]:
        if self.wanted.words:
            yield self.wanted.words
            return
        try:
            work = partial(self.metered, partial(self.memory.reply, self.messages))
            async with aclosing(self.thinking.stream(work, self.urgency)) as deltas:
                async for delta in deltas:
                    yield delta
        except (RuntimeError, MemoryError) as error:
            raise ModelError(f"the model failed ({error}): ask again, or restart with a shorter clip") from error

    async def sound(self, clauses: AsyncIterator[str]) -> AsyncGenerator[SpeechChunk, None]:
        async for clause in clauses:
            try:
                work = partial(self.metered, partial(self.voice.say, clause))
                async with aclosing(self.speaking.stream(work, self.urgency)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except VoiceError as error:
                raise VoiceFailed(str(error)) from error
            await self._told.wait()

    @property
    def cost_s(self) -> float:
        """Seconds of the two workers' time so far."""
        return sum(self._costs)

    def urgency(self) -> Urgency:
        return Urgency.ANSWER if self._told.is_set() else Urgency.SPECULATE

    def metered(self, work: Callable[[], Iterator[T]]) -> Iterator[T]:
        """On a worker's thread: `work()`, with what it costs."""
        begun, items = perf_counter(), work()
        try:
            for item in items:
                self._costs.append(perf_counter() - begun)
                yield item
                begun = perf_counter()
        finally:
            getattr(items, "close", bool)()

    def _judge(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.judged(weighed(verdict, self.memory.finished))

    def _heard(self) -> int:
        return sum(clip.length for message in self.messages for clip in message.clips)
