"""The answers of one conversation, one after another; the next may be begun in secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from tts.voice import Voice
from voicechat.blocking import Worker
from voicechat.conversation import Conversation, Message, new_id
from voicechat.errors import VoiceChatError
from voicechat.events import (
    Answered,
    Event,
    Failed,
    Interrupted,
    Speculated,
    Spoken,
    TextDelta,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
)
from voicechat.model import Memory
from voicechat.playback import Playback
from voicechat.reference import Reference
from voicechat.timing import Stopwatch
from voicechat.transcripts import Transcripts
from voicechat.turn import Turn, Wanted
from voicechat.verdict import Verdict

REMEMBERED = 50  # answers whose words can still be cut
AHEAD_S = 0.06  # an echo canceller can wait for an echo, and not foresee it
KEPT_S = 900.0  # of sound; what a model can attend to is less


class Answering:
    """Starts turns and ends them. The session decides when.

    `sounding` is called at each sound that is sent, `over` when an answer without sound is complete, `judged` with
    what the model makes of a question that is answered in secret.
    """

    def __init__(
        self,
        conversation: Conversation,
        memory: Memory,
        voice: Voice,
        thinking: Worker,
        speaking: Worker,
        transcripts: Transcripts,
        tell: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self.voice = voice
        self.turn = 0  # the newest: sound of any other is to be dropped
        self.wanted = Wanted()  # how the newest is
        self.playback = Playback()  # of the newest
        self.reference = Reference()  # its sound, as it is played
        self.question: list[str] = []  # ids of the messages that the newest answers
        self.sounding: Callable[[], None] = lambda: None
        self.over: Callable[[], None] = lambda: None
        self.judged: Callable[[Verdict], None] = lambda verdict: None
        self._conversation, self._memory, self._transcripts = conversation, memory, transcripts
        self._thinking, self._speaking = thinking, speaking
        self._tell, self._now = tell, now
        self._answers: dict[str, Playback] = {}
        self._secret: tuple[Turn, asyncio.Task[None]] | None = None
        self._task: asyncio.Task[None] | None = None  # the newest answer
        self._work: asyncio.Task[None] | None = None  # and what the model and the voice do for it
        self._works: set[asyncio.Task[None]] = set()  # that are not over, in secret or not

    # ---- in secret ----------------------------------------------------------------------------

    def speculate(self, read: tuple[Message, ...], wanted: Wanted) -> None:
        """Begin to answer this, in case it is all that will be asked."""
        self.drop()
        turn = self._new_turn(read, wanted)
        self._secret = turn, self._start(turn)

    def drop(self) -> None:
        """What was begun in secret is not wanted."""
        if self._secret is not None:
            (turn, work), self._secret = self._secret, None
            work.cancel()
            work.add_done_callback(lambda done: self._dropped(turn, done))

    # ---- aloud --------------------------------------------------------------------------------

    def begin(self, read: tuple[Message, ...], wanted: Wanted, clock: Stopwatch) -> None:
        """Answer this: with what was begun in secret, where it is just that."""
        if self._secret is not None and not self._secret[0].answers(read, wanted):
            self.drop()
        if self._secret is None:
            turn = self._new_turn(read, wanted)
            work = self._start(turn)
        else:
            (turn, work), self._secret = self._secret, None
            self._tell(_speculated(turn, kept=True))
        self.turn, self.wanted = turn.number, wanted
        self.question = [message.id for message in self._conversation.question()]
        playback = self.playback = Playback(turn.number, new_id())
        if wanted.remembered:
            mark = turn.verdict.value if turn.verdict else ""
            self._conversation.add(Message("assistant", "", id=playback.id, mark=mark))
        self._answers[playback.id] = playback
        for old in list(self._answers)[:-REMEMBERED]:
            del self._answers[old]
        self._tell(TurnStarted(turn.number, playback.id))
        turn.tell(self._send, clock)
        self._work = work
        self._task = asyncio.create_task(self._answer(turn, work, playback, self.question))

    def hold(self) -> None:
        """It stands still where it is."""
        self.playback.hold(self._now())

    def go_on(self) -> None:
        """It goes on where it stood."""
        self.playback.go_on(self._now())

    def cancel(self) -> None:
        """Nothing of it counts."""
        self.stop()
        self.playback.withdrawn = True
        self._keep(self.playback.id, "")
        self._tell(Withdrawn(self.turn))

    def interrupt(self) -> None:
        """Silence the client first; then stop the answer; then keep of it what was heard."""
        heard_s = self.playback.heard_s(self._now())
        text = self.playback.text_until(heard_s)
        self._tell(Interrupted(self.turn, heard_s, text))
        self.stop()
        self._keep(self.playback.id, text.rstrip())
        self.write_down(self.question)

    async def beside_voices(self, work: Callable[[], None]) -> None:
        """Do `work` on the thread on which voices speak."""
        await self._speaking.run(work)

    def stop(self) -> None:
        """The next answer waits until this one has really stopped; nobody else does."""
        self.reference.stop()
        if self._task is not None and self._work is not None:
            self._task.cancel()
            self._work.cancel()  # by itself: the task may not have begun to wait for it

    def playing(self, count: int) -> np.ndarray:
        """float32 [count] at 16 kHz: what the client plays beside the next samples of the microphone."""
        return self.reference.next(count, self.playback.position_s(self._now()) + AHEAD_S)

    def truncate(self, id: str, seconds: float) -> str:
        """No more of that answer was heard: the words that stay. Raises KeyError."""
        playback = self._answers[id]
        self._keep(id, "" if playback.withdrawn else playback.text_until(playback.cut(seconds)).rstrip())
        return self._conversation.find(id).text

    def playback_of(self, id: str) -> Playback:
        """Raises KeyError."""
        return self._answers[id]

    def write_down(self, ids: list[str]) -> None:
        for message in self._conversation.some(ids):
            self._transcripts.start(self.turn, message)

    @property
    def busy(self) -> bool:
        """An answer is being made."""
        return self._task is not None and not self._task.done()

    @property
    def at_work(self) -> bool:
        """The model is asked for one, perhaps in secret."""
        return self.busy or bool(self._works)

    async def idle(self) -> None:
        """Until the newest answer, if there is one, is complete."""
        while self._task is not None and self.busy:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        self.drop()
        self.stop()
        running = {*self._works, *([] if self._task is None else [self._task])}
        if running:
            await asyncio.wait(running)

    # ---- inside -------------------------------------------------------------------------------

    def _new_turn(self, read: tuple[Message, ...], wanted: Wanted) -> Turn:
        turn = Turn(
            self.turn + 1, read, wanted, self._memory, self.voice, self._thinking, self._speaking,
            lambda verdict: self._judged(turn, verdict),
        )  # fmt: skip
        return turn

    def _start(self, turn: Turn) -> asyncio.Task[None]:
        work = asyncio.create_task(_after(frozenset(self._works), turn))
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        return work

    def _dropped(self, turn: Turn, work: asyncio.Task[None]) -> None:
        if not work.cancelled():
            work.exception()  # what went wrong here goes wrong again where it is wanted, and is told there
        self._tell(_speculated(turn, kept=False))

    def _judged(self, turn: Turn, verdict: Verdict) -> None:
        if self._secret is not None and turn is self._secret[0]:
            self.judged(verdict)
        elif turn.number == self.turn and turn.verdict is not None:  # its own mark, however sure the model was
            self._conversation.mark(self.playback.id, turn.verdict.value)

    async def _answer(self, turn: Turn, work: asyncio.Task[None], playback: Playback, question: list[str]) -> None:
        try:
            await work
        except Exception as error:
            told = str(error) if isinstance(error, VoiceChatError) else f"this turn failed ({error!r}): ask again"
            self._keep(playback.id, playback.sent_text)
            if not playback.sent_text.strip():  # so that the next turn does not trip over it
                for id in question:
                    self.take_back(id)
            self._tell(Failed(told, turn.number))
        else:
            self._keep(playback.id, turn.text)
            self._tell(Answered(turn.number, turn.text, self._memory.positions, turn.tokens, turn.cut))
        playback.complete = True
        if not playback.sent_s and playback is self.playback:
            self.over()
        heard = await self._transcripts.of(turn.number, self._conversation.some(question))
        self._conversation.shed(KEPT_S, self._transcripts.known)
        if turn.clock.passed("done_ms"):
            self._tell(TurnEnded(turn.number, heard, turn.text, turn.clock.timing()))

    def _send(self, event: TextDelta | Spoken) -> None:
        if event.turn != self.turn:
            return
        if isinstance(event, Spoken):
            self.playback.send(event, self._now())
            self.reference.add(event)
            self.sounding()
        self._tell(event)

    def _keep(self, id: str, text: str) -> None:
        """The words of an answer that the conversation remembers."""
        with suppress(KeyError):
            self._conversation.say(id, text)

    def take_back(self, id: str) -> None:
        """That message was not asked."""
        with suppress(KeyError):
            self._conversation.remove(id)
            self._tell(Unasked(id))


async def _after(before: frozenset[asyncio.Task[None]], turn: Turn) -> None:
    """The model answers one at a time."""
    if before:
        await asyncio.wait(before)
    await turn.run()


def _speculated(turn: Turn, kept: bool) -> Speculated:
    return Speculated(turn.verdict.name.lower() if turn.verdict else "", kept, turn.cost_s * 1e3)
