"""One turn, from the question to the last sound of its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

from tts.text import pieces
from tts.voice import SpeechChunk, Voice, VoiceError
from voicechat.blocking import Worker
from voicechat.conversation import Conversation
from voicechat.errors import ModelError, VoiceFailed
from voicechat.events import Heard, Spoken, TextDelta
from voicechat.model import Memory
from voicechat.timing import Stopwatch


class Turn:
    """The conversation and the two workers that a turn runs on. `say` is told every sound to be sent."""

    def __init__(
        self,
        number: int,
        conversation: Conversation,
        memory: Memory,
        voice: Voice,
        thinking: Worker,
        speaking: Worker,
        clock: Stopwatch,
        tell: Callable[[TextDelta | Spoken | Heard], None],
    ) -> None:
        self.number, self.conversation, self.memory, self.voice = number, conversation, memory, voice
        self.thinking, self.speaking, self.clock, self.tell = thinking, speaking, clock, tell
        self.text = ""  # the answer so far
        self.heard = ""  # the question, in words

    async def run(self) -> None:
        """Conversation -> words -> speakable pieces -> sound. Raises VoiceChatError."""
        question = self.conversation.messages[-1]
        async with (
            aclosing(self.words()) as words,
            aclosing(pieces(words)) as clauses,
            aclosing(self.sound(clauses)) as sound,
        ):
            async for chunk in sound:
                self.clock.mark("first_audio_ms")
                self.tell(Spoken(self.number, chunk.samples, chunk.rate, chunk.text))
        self.clock.mark("done_ms")
        self.heard = await self.transcript() if question.clips else question.text
        self.tell(Heard(self.number, self.heard))

    async def words(self) -> AsyncGenerator[str, None]:
        messages = tuple(self.conversation.messages)
        try:
            async with aclosing(self.thinking.stream(partial(self.memory.reply, messages))) as deltas:
                async for delta in deltas:
                    self.clock.mark("first_token_ms")
                    if delta:
                        self.text += delta
                        self.tell(TextDelta(self.number, delta))
                        yield delta
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

    async def transcript(self) -> str:
        """What was said, taken down after the answer has been made, so that it delays nothing."""
        clips = self.conversation.messages[-1].clips
        texts = [await self.thinking.run(partial(self.memory.transcribe, clip)) for clip in clips]
        return " ".join(t for t in texts if t)
