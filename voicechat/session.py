"""A session: one listener, and the turn that it has started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import suppress
from math import inf

import numpy as np

from streaming.audio import RATE, AudioChunk, AudioError
from streaming.endpoint import SpeechEvent, SpeechPaused, SpeechResumed, SpeechSegment, SpeechStarted
from tts.voice import Voice
from voicechat.answering import Answering
from voicechat.asking import Asking
from voicechat.blocking import Worker
from voicechat.config import Config
from voicechat.conversation import Clip, Conversation, Message, is_blank, new_id
from voicechat.ears import FRAME, Ears
from voicechat.ending import ByEar, Ending
from voicechat.errors import NOTHING_TYPED
from voicechat.events import Event, Failed, Idle, Yielded
from voicechat.interrupting import Interrupting
from voicechat.model import Memory
from voicechat.supply import Supply
from voicechat.timing import Stopwatch
from voicechat.transcripts import Transcripts
from voicechat.turn import Wanted
from voicechat.turntaking import Action, Input, Policy, State, take
from voicechat.verdict import Verdict

FRAME_S = FRAME / RATE
LOW = 0.2  # gain of an answer while it is not sure whether somebody speaks
TOO_LONG = "I must stop you there, I cannot keep all of that. Please ask me again, in fewer words."
STILL_HERE = "I am still here, if you want to ask me something."


class Session:
    """One conversation. Everything here runs on the event loop; models and voices do not.

    Events go to `tell`, in order, at the moment they happen; without it they wait in `events`.
    `clock` gives the seconds by which an answer is taken to play; without it, the sound received. `ear` is asked,
    beside the model, whether a speaker has finished. `policy`: how turns are taken, at first.
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
        ear: tuple[ByEar, Worker] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.conversation = Conversation.with_instructions(config.instructions)
        self.policy = policy or Policy(times=config.times)
        self.state = State.LISTENING
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._tell: Callable[[Event], None] = tell or self.events.put_nowait
        self._memory, self._thinking = memory, thinking
        self._ears = Ears(self.policy.times if self.policy.detects else None)
        self._now = clock or (lambda: self._ears.now_s)
        self.transcripts = Transcripts(memory, thinking, self._tell)
        self.answering = Answering(
            self.conversation, memory, voice, thinking, speaking, self.transcripts, self._tell, self._now
        )
        self.answering.sounding = lambda: self._take(Input.SOUNDING)
        self.answering.over = lambda: self._take(Input.ANSWER_OVER)
        self._ending = Ending(self._wait, ear)
        self.answering.judged = self._ending.judged
        self.asking = Asking(self.conversation, self._ears, self.answering, memory, thinking, self._tell)
        self.asking.judged = self.policy.patience is not None
        self._speech: SpeechEvent | None = None
        self._started_s = 0.0  # where the newest speech began
        self._interrupting = Interrupting(memory, thinking, self._ears, self._decided)
        self._gain = 1.0  # at which the client plays the answer
        self._supply = Supply()
        self._missed_s = 0.0  # of silence that does not fill a frame yet
        self._goes_on_s = -inf  # what comes late and begins before this is of the question that was taken for over
        self._quiet_s = 0.0  # since when nobody has spoken
        self._prompted = False  # and a word has been said because of it

    # ---- what comes in ------------------------------------------------------------------------

    async def hear(self, chunk: AudioChunk) -> None:
        """Take in what the microphone delivers, in pieces of any length and rate."""
        self._supply.arrive(chunk.seconds, self._now())
        if self._supply.late:
            self._catch_up()
        try:
            for frame in self._ears.frames(chunk, self.answering.playing):
                self._hear_frame(frame)
        except AudioError as error:
            self._tell(Failed(str(error)))

    def look(self) -> None:
        """Now and then, where a live microphone is listened to: what has not come for a second counts as silence."""
        missed = self._missed_s + self._supply.missing(self._now())
        self._missed_s = missed % FRAME_S
        for _ in range(int(missed / FRAME_S)):
            for event in self._ears.starve():
                self._hear_speech(event)
                if isinstance(event, SpeechSegment) and self.state is State.THINKING:
                    self._goes_on_s = self._ears.voice_end_s + self.policy.silence_s(self._ending.verdict)
            self._watch()

    async def end_of_sound(self) -> None:
        """The microphone has been closed: what was being said is the turn."""
        for event in self._ears.end():
            self._hear_speech(event)

    async def ask(self, text: str = "", clips: Sequence[Clip] = ()) -> None:
        """A typed turn, or clips to talk about, or both. Blanks alone ask nothing, and are not answered."""
        if is_blank(text) and not clips and not any(m.clips for m in self.conversation.question()):
            self._tell(Failed(NOTHING_TYPED))
            return
        self._speech, self._prompted = None, False
        self.asking.type("" if is_blank(text) else text, clips)
        self._watch_playback()
        self._take(Input.TYPED)

    def attach(self, clips: Sequence[Clip]) -> None:
        """Clips that go with the next turn."""
        self.conversation.add(Message("user", "", tuple(clips)))

    async def played(self, turn: int, seconds: float) -> None:
        """The client reports how many seconds of this turn's answer it has played."""
        if turn == self.turn:
            self.answering.playback.report(seconds, self._now())
            self._watch_playback()

    # ---- when turns are taken by hand ---------------------------------------------------------

    async def listen(self, policy: Policy) -> bool:
        """Take turns in another way from now on -> whether what was being said is forgotten: where the ears change."""
        changed = (policy.detects, policy.times) != (self.policy.detects, self.policy.times)
        if changed:
            await self.forget()
            self._ears.listen(policy.times if policy.detects else None)
        self.policy = policy
        self.asking.judged = policy.patience is not None
        if self.state is State.SPEAKING:
            self._yield(1.0)  # whoever stirred need not be heard any more
        return changed

    @property
    def turn(self) -> int:
        """The newest: sound of any other is to be dropped."""
        return self.answering.turn

    @property
    def wanted(self) -> Wanted:
        """How the newest answer is."""
        return self.answering.wanted

    @property
    def voice(self) -> Voice:
        return self.answering.voice

    @voice.setter
    def voice(self, voice: Voice) -> None:
        self.answering.voice = voice

    async def beside_voices(self, work: Callable[[], None]) -> None:
        """Do `work` on the thread on which voices speak: it may load one, which takes a second."""
        await self.answering.beside_voices(work)

    @property
    def judges(self) -> bool:
        """The model tells whether what was said is finished."""
        return self._memory.marks != "none"

    @property
    def uncommitted_s(self) -> float:
        """Seconds of what is being said, or was received since the last `commit`."""
        return self._ears.clip.length / RATE if self._ears.clip else 0.0

    @property
    def answer_text(self) -> str:
        """What has been sent of the newest answer."""
        return self.answering.playback.sent_text

    async def refuses(self, instructions: str) -> str:
        """One line on instructions that are too long for the model; "" for any others."""
        return await self._thinking.run(lambda: self._memory.refuses(instructions))

    async def commit(self) -> None:
        """Whoever speaks has finished. By hand it joins the conversation, and nothing is answered yet."""
        if self.policy.detects:
            await self.end_of_sound()
        else:
            self.asking.hand_over()

    async def forget(self) -> None:
        """Throw away what is being said, and all that was made of it."""
        self._take(Input.FORGET)
        self._speech, self._goes_on_s = None, -inf
        self.asking.forget()
        self._ending.begin()
        self._ears.forget()
        self._ears.listen(self.policy.times if self.policy.detects else None)
        if self.state is State.SPEAKING:
            self._yield(1.0)

    async def respond(self, wanted: Wanted | None = None) -> None:
        """Answer what the conversation holds."""
        self._speech = None
        self.asking.respond(wanted)
        self._watch_playback()
        self._take(Input.ASKED)

    async def stop(self) -> None:
        """No more of the answer; the conversation keeps what was heard of it."""
        self._goes_on_s = -inf
        self._watch_playback()
        self._take(Input.STOP)
        self.answering.write_down(self.answering.question)

    async def truncate(self, id: str, seconds: float) -> str:
        """Of the answer of that id no more was heard than its first seconds: the words that stay. A later one gives
        nothing back.

        Raises KeyError where it is no answer of this session, or too long ago.
        """
        playback = self.answering.playback_of(id)
        if playback is self.answering.playback and self.state in (
            State.THINKING, State.SPEAKING, State.HELD, State.OVERLAP,
        ):  # fmt: skip
            playback.report(seconds, self._now())
            self._take(Input.STOP)
        return self.answering.truncate(id, seconds)

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
        await self.answering.idle()

    async def close(self) -> None:
        """Stop answering, at once."""
        self.answering.stop()
        for part in (self._ending, self._interrupting, self.transcripts, self.answering, self.asking):
            await part.close()

    async def _listen(self, microphone: AsyncIterable[AudioChunk]) -> None:
        async for chunk in microphone:
            await self.hear(chunk)
        await self.end_of_sound()
        await self.idle()

    # ---- what is heard ------------------------------------------------------------------------

    def _hear_frame(self, frame: np.ndarray) -> None:
        for event in self._ears.hear(frame):
            self._hear_speech(event)
        self._watch()
        self.asking.prepare()
        self._watch_silence()

    def _watch(self) -> None:
        """What has been decided with this frame, be it one that did not come."""
        if self.state is State.SPEAKING and self.policy.holds and self.policy.interrupts:
            self._yield(LOW if self._ears.stirs else 1.0)
        elif self.state is State.HELD:
            self._interrupting.listen(self.asking.instructions)
        self._watch_playback()

    def _catch_up(self) -> None:
        """What comes now was said while nothing came. If it was said into the answer, it is of the question still."""
        self._ears.found()
        if self.state in (State.HEARING, State.HELD) and self._started_s <= self._goes_on_s:
            self._decide(Input.LATE)

    def _hear_speech(self, event: SpeechEvent) -> None:
        self._speech = event
        match event:
            case SpeechStarted():
                self._started_s, self._prompted = event.at_s, False
                heard_s = self.answering.playback.heard_s(self._now())
                answers = self._ending.verdict or Verdict.FINISHED if self.asking.spoken else None
                self._interrupting.begin(self.policy, heard_s, answers)
                self._ending.begin()
                self.asking.speech_id = new_id()
                self._tell(event)
                goes_on = self.state is State.SPEAKING and not self.policy.holds
                resumed = goes_on and self._interrupting.meaning is Input.RESUMED
                late = self._supply.late and event.at_s <= self._goes_on_s
                self._take(Input.LATE if late else Input.RESUMED if resumed else Input.SPEECH)
            case SpeechPaused():
                self._tell(event)
                if self.state is State.HELD:
                    self._interrupting.pause()
                self._speculate()
            case SpeechResumed():
                self._ending.begin()
                self._interrupting.resume()
                self.answering.drop()
                self._tell(event)
            case SpeechSegment():
                if self.state is State.HELD:
                    self._take(self._interrupting.meaning)
                self._tell(event)
                voiced_s = self.uncommitted_s - self.policy.times.pre_roll_s
                aside = self._ending.over(voiced_s) is Verdict.ASIDE and self.policy.patience is not None
                if event.cut and self.policy.answers:
                    self.asking.say(TOO_LONG)
                self._take(Input.ASIDE if aside and not event.cut else Input.SPEECH_OVER)

    def _speculate(self) -> None:
        """Perhaps the speaker has finished: begin to answer, in secret."""
        clip = self._ears.clip
        if self.state is State.HEARING and clip is not None and self.policy.answers:
            self._ending.pause(clip)
            self.answering.speculate(self.asking.so_far(clip), self.asking.usual)

    def _wait(self, verdict: Verdict) -> None:
        """What is made of what has been said up to this pause decides how long to wait."""
        if self.policy.patience is not None:
            for event in self._ears.wait(self.policy.silence_s(verdict)):
                self._hear_speech(event)

    def _decided(self, meaning: Input) -> None:
        """What was said into the answer."""
        if self.state is State.HELD:
            self._decide(meaning)

    def _decide(self, meaning: Input) -> None:
        paused = self._ears.paused
        self._take(meaning)
        if paused:
            self._speculate()

    def _watch_playback(self) -> None:
        if self.state in (State.SPEAKING, State.OVERLAP) and self.answering.playback.over(self._now()):
            self._take(Input.ANSWER_OVER)

    def _watch_silence(self) -> None:
        """A long silence prompts once."""
        if self.state is not State.LISTENING:
            self._quiet_s = self._ears.now_s
            return
        silent_s = self._ears.now_s - self._quiet_s
        if self.policy.idle_s is not None and silent_s >= self.policy.idle_s and not self._prompted:
            self._prompted = True
            self.asking.say(STILL_HERE)
            self._tell(Idle(self._ears.now_s))
            self._take(Input.ASKED)

    # ---- turn taking --------------------------------------------------------------------------

    def _take(self, happened: Input) -> None:
        self.state, actions = take(self.state, happened, self.policy)
        for action in actions:
            match action:
                case Action.OPEN:
                    self.asking.open(self._started_s)
                case Action.GO_ON:
                    self.asking.go_on(self._started_s)
                    self._goes_on_s = -inf
                case Action.DROP:
                    self.answering.drop()
                    self._ears.close()
                case Action.COMMIT:
                    id = self.asking.commit(self._ending.verdict)
                    if not self.policy.answers:
                        self.answering.write_down([id])
                case Action.TAKE_BACK:
                    self.answering.drop()
                    self.asking.take_back()
                case Action.BEGIN:
                    self._begin()
                case Action.HOLD:
                    self._interrupting.hold()
                    self.answering.hold()
                    self._yield(0.0)
                case Action.PLAY:
                    self._interrupting.stop()
                    self._ears.dismiss()
                    self.answering.go_on()
                    self._yield(1.0)
                case Action.CANCEL | Action.WITHDRAW:
                    self.answering.cancel()
                case Action.INTERRUPT:
                    self._interrupting.stop()
                    self.answering.interrupt()

    def _yield(self, gain: float) -> None:
        if gain != self._gain:
            self._gain = self.answering.reference.gain = gain
            self._tell(Yielded(self.turn, gain))

    def _begin(self) -> None:
        read, wanted = self.asking.next()
        waited = None
        if isinstance(self._speech, SpeechSegment):
            waited = self._ears.silent_s * 1e3
        self._gain, self._goes_on_s = 1.0, -inf
        self.answering.begin(read, wanted, Stopwatch(waited))
