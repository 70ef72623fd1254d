"""A session: one listener, and the turn that it has started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import suppress

import numpy as np

from streaming.audio import RATE, AudioChunk, AudioError
from streaming.endpoint import SpeechEvent, SpeechSegment, SpeechStarted
from tts.voice import Voice
from voicechat.blocking import Worker
from voicechat.config import Config
from voicechat.conversation import Clip, Conversation, Message
from voicechat.ears import Ears
from voicechat.errors import VoiceChatError
from voicechat.events import Event, Failed, Heard, Interrupted, Spoken, TextDelta, TurnEnded, TurnStarted
from voicechat.model import Memory
from voicechat.playback import Playback
from voicechat.timing import Stopwatch
from voicechat.turn import Turn
from voicechat.turntaking import Action, Input, State, take


class Session:
    """One conversation. Everything here runs on the event loop; models and voices do not."""

    def __init__(self, memory: Memory, voice: Voice, thinking: Worker, speaking: Worker, config: Config) -> None:
        self.conversation = Conversation.with_instructions(config.instructions)
        self.state = State.LISTENING
        self.turn = 0  # the newest: sound of any other is to be dropped
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._memory, self._voice, self._thinking, self._speaking = memory, voice, thinking, speaking
        self._ears = Ears(config.times)
        self._speech: SpeechEvent | None = None
        self._question = Message("user")
        self._attached: tuple[Clip, ...] = ()
        self._spoken: Clip | None = None  # the microphone's part of the question
        self._playback = Playback()
        self._answering: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._shown = 0  # samples of the clip that the model has been shown

    # ---- what comes in ------------------------------------------------------------------------

    async def hear(self, chunk: AudioChunk) -> None:
        """Take in what the microphone delivers, in pieces of any length and rate."""
        try:
            for frame in self._ears.frames(chunk):
                await self._hear_frame(frame)
        except AudioError as error:
            self._tell(Failed(str(error)))

    async def end_of_sound(self) -> None:
        """The microphone has been closed: what was being said is the turn."""
        for event in self._ears.end():
            await self._hear_speech(event)

    async def ask(self, text: str = "", clips: Sequence[Clip] = ()) -> None:
        """A typed turn, or clips to talk about, or both."""
        self._speech, self._question = None, Message("user", text, tuple(clips))
        await self._take(Input.TYPED)

    def attach(self, clips: Sequence[Clip]) -> None:
        """Clips that go with the next spoken turn that is answered."""
        self._attached += tuple(clips)

    async def played(self, turn: int, seconds: float) -> None:
        """The client reports how many seconds of this turn's answer it has played."""
        if turn == self.turn:
            self._playback.report(seconds)
            await self._watch_playback()

    # ---- from outside -------------------------------------------------------------------------

    async def talk(self, microphone: AsyncIterable[AudioChunk]) -> AsyncGenerator[Event, None]:
        """Every event of the session, until the microphone has ended and the last turn is answered."""
        listener = asyncio.create_task(self._listen(microphone))
        listener.add_done_callback(lambda _: self.events.put_nowait(None))
        try:
            while (event := await self.events.get()) is not None:
                yield event
            await listener
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await listener
            await self.close()

    async def idle(self) -> None:
        """Until the current turn, if there is one, has been answered."""
        while self._answering is not None and not self._answering.done():
            await asyncio.wait([self._answering])

    async def close(self) -> None:
        """Stop answering, at once."""
        await self._stop_answering()
        if self._preparing is not None:
            await asyncio.wait([self._preparing])

    async def _listen(self, microphone: AsyncIterable[AudioChunk]) -> None:
        async for chunk in microphone:
            await self.hear(chunk)
        await self.end_of_sound()
        await self.idle()

    async def _hear_frame(self, frame: np.ndarray) -> None:
        for event in self._ears.hear(frame):
            await self._hear_speech(event)
        self._prepare()
        await self._watch_playback()

    async def _hear_speech(self, event: SpeechEvent) -> None:
        self._tell(event)
        self._speech = event
        if isinstance(event, SpeechStarted):
            await self._take(Input.SPEECH)
        elif isinstance(event, SpeechSegment):
            await self._take(Input.SPEECH_OVER)

    async def _watch_playback(self) -> None:
        if self.state is State.SPEAKING and self._playback.over(self._ears.now_s):
            await self._take(Input.ANSWER_OVER)

    def _prepare(self) -> None:
        """Show the model what has arrived while the user still speaks, twice a second at the most."""
        clip = self._ears.clip
        idle = self._preparing is None or self._preparing.done()
        if clip is not None and idle and (not self._shown or clip.length - self._shown >= RATE // 2):
            self._shown = clip.length
            messages = (*self.conversation.messages, Message("user", "", (clip,)))
            self._preparing = asyncio.create_task(self._look(messages))

    async def _look(self, messages: tuple[Message, ...]) -> None:
        with suppress(Exception):  # what goes wrong here goes wrong again in the turn, and is told there
            await self._thinking.run(lambda: self._memory.prepare(messages))

    # ---- turn taking --------------------------------------------------------------------------

    async def _take(self, happened: Input) -> None:
        self.state, actions = take(self.state, happened)
        for action in actions:
            match action:
                case Action.OPEN:
                    self._open()
                case Action.GO_ON:
                    self._go_on()
                case Action.DROP:
                    self._ears.close()
                case Action.CANCEL:
                    await self._stop_answering()
                case Action.INTERRUPT:
                    await self._interrupt()
                case Action.BEGIN:
                    self._begin()

    def _open(self) -> None:
        assert isinstance(self._speech, SpeechStarted)
        self._ears.open(self._speech.at_s)
        self._shown = 0

    def _go_on(self) -> None:
        """The speaker was not done: take the question back, and let its clip grow over the gap."""
        if self._spoken is None:
            self._open()  # what was asked did not come by microphone: this adds to it
        else:
            self.conversation.withdraw()
            self._ears.go_on(self._spoken)

    def _begin(self) -> None:
        self._spoken = self._ears.close()
        if self._spoken is not None:
            self._question = Message("user", "", (*self._attached, self._spoken))
        self.conversation.ask(self._question.text, self._question.clips)
        self.turn += 1
        self._playback = Playback()
        waited = None
        if isinstance(self._speech, SpeechSegment):
            waited = (self._ears.now_s - self._ears.voice_end_s) * 1e3
        turn = Turn(
            self.turn, self.conversation, self._memory, self._voice, self._thinking, self._speaking,
            Stopwatch(waited), self._send,
        )  # fmt: skip
        self._tell(TurnStarted(self.turn))
        self._answering = asyncio.create_task(self._answer(turn))

    async def _answer(self, turn: Turn) -> None:
        try:
            await turn.run()
            self.conversation.answer(turn.text)
            self._attached = ()
            self._tell(TurnEnded(turn.number, turn.heard, turn.text, turn.clock.timing()))
        except Exception as error:
            told = str(error) if isinstance(error, VoiceChatError) else f"this turn failed ({error!r}): ask again"
            self._tell(Failed(told, turn.number))
            self.conversation.answer(self._playback.sent_text)
            self.conversation.withdraw()
        self._playback.complete = True
        if self.state is State.THINKING:  # the answer has no sound
            await self._take(Input.ANSWER_OVER)

    def _send(self, event: TextDelta | Spoken | Heard) -> None:
        if isinstance(event, Spoken):
            self._playback.send(event, self._ears.now_s)
            self.state, _ = take(self.state, Input.SOUNDING)
        self._tell(event)

    async def _interrupt(self) -> None:
        """Silence the client first; then stop the answer; then keep of it what was heard."""
        heard_s = self._playback.heard_s(self._ears.now_s)
        text = self._playback.text_until(heard_s)
        self._tell(Interrupted(self.turn, heard_s, text))
        await self._stop_answering()
        self.conversation.cut_answer(text)

    async def _stop_answering(self) -> None:
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()
            await asyncio.wait([self._answering])

    def _tell(self, event: Event) -> None:
        self.events.put_nowait(event)
