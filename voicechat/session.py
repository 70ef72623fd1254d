"""A session: one listener, and the turn that it has started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import suppress

import numpy as np

from streaming.audio import RATE, AudioChunk, AudioError
from streaming.endpoint import SpeechEvent, SpeechSegment, SpeechStarted
from tts.voice import Voice
from voicechat.blocking import Urgency, Worker
from voicechat.config import Config
from voicechat.conversation import Clip, Conversation, Message, as_read, new_id
from voicechat.ears import Ears
from voicechat.errors import VoiceChatError
from voicechat.events import (
    Answered,
    Asked,
    Event,
    Failed,
    Interrupted,
    Spoken,
    TextDelta,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
)
from voicechat.model import Memory
from voicechat.playback import Playback
from voicechat.timing import Stopwatch
from voicechat.transcripts import Transcripts
from voicechat.turn import Turn, Wanted
from voicechat.turntaking import Action, Input, Policy, State, take


class Session:
    """One conversation. Everything here runs on the event loop; models and voices do not.

    Events go to `tell`, in order, at the moment they happen; without it they wait in `events`.
    `clock` gives the seconds by which an answer is taken to play; without it, the sound received.
    """

    def __init__(
        self,
        memory: Memory,
        voice: Voice,
        thinking: Worker,
        speaking: Worker,
        config: Config,
        tell: Callable[[Event], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.conversation = Conversation.with_instructions(config.instructions)
        self.voice = voice
        self.policy = Policy(times=config.times)
        self.state = State.LISTENING
        self.turn = 0  # the newest: sound of any other is to be dropped
        self.speech_id = new_id()  # of the message that is being spoken, or will be next
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._tell: Callable[[Event], None] = tell or self.events.put_nowait
        self._memory, self._thinking, self._speaking = memory, thinking, speaking
        self._ears = Ears(config.times)
        self._now = clock or (lambda: self._ears.now_s)
        self.transcripts = Transcripts(memory, thinking, self._tell)
        self._speech: SpeechEvent | None = None
        self._typed: Message | None = None  # to be asked next
        self._spoken: Message | None = None  # the question, where it came by microphone and was answered by itself
        self.usual = Wanted()  # how answers are, where nothing else was asked for
        self.wanted = self.usual  # how the newest is
        self._asked: Wanted | None = None  # how the next one is to be
        self._question: list[str] = []  # ids of the messages that the newest turn answers
        self._playback = Playback()  # of the newest answer
        self._answers: dict[str, Playback] = {}
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
        self._speech, self._typed = None, Message("user", text, tuple(clips))
        await self._watch_playback()
        await self._take(Input.TYPED)

    def attach(self, clips: Sequence[Clip]) -> None:
        """Clips that go with the next turn."""
        self.conversation.add(Message("user", "", tuple(clips)))

    async def played(self, turn: int, seconds: float) -> None:
        """The client reports how many seconds of this turn's answer it has played."""
        if turn == self.turn:
            self._playback.report(seconds)
            await self._watch_playback()

    # ---- when turns are taken by hand ---------------------------------------------------------

    async def listen(self, policy: Policy) -> None:
        """Take turns in another way from now on. What was being said is forgotten where the ears change."""
        if (policy.detects, policy.times) != (self.policy.detects, self.policy.times):
            await self.forget()
            self._ears.listen(policy.times if policy.detects else None)
        self.policy = policy

    @property
    def uncommitted_s(self) -> float:
        """Seconds of what is being said, or was received since the last `commit`."""
        return self._ears.clip.length / RATE if self._ears.clip else 0.0

    @property
    def answer_text(self) -> str:
        """What has been sent of the newest answer."""
        return self._playback.sent_text

    async def commit(self) -> None:
        """Whoever speaks has finished. By hand it joins the conversation, and nothing is answered yet."""
        if self.policy.detects:
            await self.end_of_sound()
        elif (clip := self._ears.take()) is not None and clip.length:
            self._spoken = None
            self._add(Message("user", "", (clip,), self.speech_id))
            self._write_down([self.speech_id])
            self.speech_id = new_id()

    async def forget(self) -> None:
        """Throw away what is being said."""
        await self._take(Input.FORGET)
        self._ears.forget()
        self._ears.listen(self.policy.times if self.policy.detects else None)

    async def respond(self, wanted: Wanted | None = None) -> None:
        """Answer what the conversation holds."""
        self._speech, self._spoken, self._asked = None, None, wanted
        await self._watch_playback()
        await self._take(Input.ASKED)

    async def stop(self) -> None:
        """No more of the answer; the conversation keeps what was heard of it."""
        await self._watch_playback()
        await self._take(Input.STOP)
        self._write_down(self._question)

    async def truncate(self, id: str, seconds: float) -> str:
        """Of the answer of that id no more was heard than its first seconds: the words that stay.

        Raises KeyError where it is no answer of this session, or too long ago.
        """
        playback = self._answers[id]
        if playback is self._playback and self.state in (State.SPEAKING, State.OVERLAP):
            playback.report(seconds)
            await self._take(Input.STOP)
        self._keep(id, playback.text_until(seconds).rstrip())
        return self.conversation.find(id).text

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
        self._stop_answering()
        await self.transcripts.close()
        running = [task for task in (self._answering, self._preparing) if task is not None]
        if running:
            await asyncio.wait(running)

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
        self._speech = event
        if isinstance(event, SpeechStarted):
            self.speech_id = new_id()
        self._tell(event)
        if isinstance(event, SpeechStarted):
            await self._take(Input.SPEECH)
        elif isinstance(event, SpeechSegment):
            await self._take(Input.SPEECH_OVER)

    async def _watch_playback(self) -> None:
        if self.state in (State.SPEAKING, State.OVERLAP) and self._playback.over(self._now()):
            await self._take(Input.ANSWER_OVER)

    def _prepare(self) -> None:
        """Show the model what has arrived while the user still speaks, twice a second at the most."""
        clip = self._ears.clip
        idle = all(task is None or task.done() for task in (self._preparing, self._answering))
        if clip is not None and idle and (not self._shown or clip.length - self._shown >= RATE // 2):
            self._shown = clip.length
            messages = as_read([*self.conversation.messages, Message("user", "", (clip,))])
            self._preparing = asyncio.create_task(self._look(messages))

    async def _look(self, messages: tuple[Message, ...]) -> None:
        with suppress(Exception):  # what goes wrong here goes wrong again in the turn, and is told there
            await self._thinking.run(lambda: self._memory.prepare(messages), Urgency.PREPARE)

    # ---- turn taking --------------------------------------------------------------------------

    async def _take(self, happened: Input) -> None:
        self.state, actions = take(self.state, happened, self.policy)
        for action in actions:
            match action:
                case Action.OPEN:
                    self._open()
                case Action.GO_ON:
                    self._go_on()
                case Action.DROP:
                    self._ears.close()
                case Action.COMMIT:
                    self._commit()
                case Action.BEGIN:
                    self._begin()
                case Action.CANCEL:
                    self._cancel()
                case Action.INTERRUPT:
                    self._interrupt()

    def _open(self) -> None:
        assert isinstance(self._speech, SpeechStarted)
        self._ears.open(self._speech.at_s)
        self._shown = 0

    def _go_on(self) -> None:
        """The speaker was not done: take the question back, and let its clip grow over the gap."""
        if self._spoken is None:
            self._open()  # what was asked did not come by microphone: this adds to it
        else:
            self._take_back(self._spoken.id)
            self._ears.go_on(self._spoken.clips[-1])

    def _commit(self) -> None:
        """What was typed or said joins the conversation."""
        if self._typed is not None:
            message, self._typed, self._spoken = self._typed, None, None
        else:
            clip = self._ears.close()
            message = self._spoken = Message("user", "", (clip,) if clip else (), self.speech_id)
            self.speech_id = new_id()
        self._add(message)
        if not self.policy.answers:
            self._write_down([message.id])

    def _add(self, message: Message) -> None:
        self.conversation.add(message)
        self._shown = 0
        self._tell(Asked(message.id, message.text, sum(clip.length for clip in message.clips) / RATE))

    def _take_back(self, id: str) -> None:
        with suppress(KeyError):
            self.conversation.remove(id)
            self._tell(Unasked(id))

    def _begin(self) -> None:
        wanted = self.wanted = self._asked or self.usual
        self._asked = None
        self._question = [message.id for message in self.conversation.question()]
        messages = self.conversation.messages if wanted.messages is None else wanted.messages
        if wanted.instructions is not None:
            told = Conversation(list(messages))
            told.instruct(wanted.instructions)
            messages = told.messages
        read = as_read(messages)
        if not any(message.role == "user" for message in read):
            read = (*read, GREETING)  # an application asks for the first word
        self.turn += 1
        self._playback = Playback(self.turn, new_id())
        waited = None
        if isinstance(self._speech, SpeechSegment):
            waited = (self._ears.now_s - self._ears.voice_end_s) * 1e3
        turn = Turn(
            self.turn, read, wanted, self._memory, self.voice, self._thinking,
            self._speaking, Stopwatch(waited), self._send,
        )  # fmt: skip
        if wanted.remembered:
            self.conversation.add(Message("assistant", "", id=self._playback.id))
        self._answers[self._playback.id] = self._playback
        for old in list(self._answers)[:-REMEMBERED]:
            del self._answers[old]
        self._tell(TurnStarted(self.turn, self._playback.id))
        self._answering = asyncio.create_task(self._answer(turn, self._playback, self._question, self._answering))

    async def _answer(
        self, turn: Turn, playback: Playback, question: list[str], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await turn.run()
        except Exception as error:
            told = str(error) if isinstance(error, VoiceChatError) else f"this turn failed ({error!r}): ask again"
            self._keep(playback.id, playback.sent_text)
            if not playback.sent_text.strip():  # so that the next turn does not trip over it
                for id in question:
                    self._take_back(id)
            self._tell(Failed(told, turn.number))
        else:
            self._keep(playback.id, turn.text)
            self._tell(Answered(turn.number, turn.text, self._memory.positions, turn.tokens, turn.cut))
        playback.complete = True
        if not playback.sent_s and playback is self._playback:
            await self._take(Input.ANSWER_OVER)
        heard = await self.transcripts.of(turn.number, self.conversation.some(question))
        self.conversation.shed(KEPT_S, self.transcripts.known)
        if turn.clock.passed("done_ms"):
            self._tell(TurnEnded(turn.number, heard, turn.text, turn.clock.timing()))

    def _send(self, event: TextDelta | Spoken) -> None:
        if isinstance(event, Spoken):
            self._playback.send(event, self._now())
            self.state, _ = take(self.state, Input.SOUNDING)
        self._tell(event)

    def _keep(self, id: str, text: str) -> None:
        """The words of an answer that the conversation remembers."""
        with suppress(KeyError):
            self.conversation.say(id, text)

    def _cancel(self) -> None:
        self._stop_answering()
        self._tell(Withdrawn(self.turn))

    def _interrupt(self) -> None:
        """Silence the client first; then stop the answer; then keep of it what was heard."""
        heard_s = self._playback.heard_s(self._now())
        text = self._playback.text_until(heard_s)
        self._tell(Interrupted(self.turn, heard_s, text))
        self._stop_answering()
        self._keep(self._playback.id, text.rstrip())
        self._write_down(self._question)

    def _write_down(self, ids: list[str]) -> None:
        for message in self.conversation.some(ids):
            self.transcripts.start(self.turn, message)

    def _stop_answering(self) -> None:
        """The next answer waits until this one has really stopped; nobody else does."""
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()


GREETING = Message("user", "Hello.")
REMEMBERED = 50  # answers whose words can still be cut
KEPT_S = 900.0  # of sound; what a model can attend to is less
