"""What is asked: what is being said or typed, what was said before, and what the model reads of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from streaming.audio import RATE
from voicechat.answering import Answering
from voicechat.blocking import Worker
from voicechat.conversation import Clip, Conversation, Message, as_read, new_id
from voicechat.ears import Ears
from voicechat.events import Asked, Event
from voicechat.model import Memory
from voicechat.preparing import Preparing
from voicechat.turn import Wanted
from voicechat.verdict import Verdict, instructed

GREETING = Message("user", "Hello.")

Read = tuple[Message, ...]


class Asking:
    """The questions of one conversation, one after another. The session decides when."""

    def __init__(
        self,
        conversation: Conversation,
        ears: Ears,
        answering: Answering,
        memory: Memory,
        thinking: Worker,
        tell: Callable[[Event], None],
    ) -> None:
        self.speech_id = new_id()  # of the message that is being spoken, or will be next
        self.usual = Wanted()  # how answers are, where nothing else was asked for
        self.wanted: Wanted | None = None  # how the next one is to be
        self.judged = False  # the model is to tell whether what was said is finished
        self._conversation, self._ears, self._answering, self._memory = conversation, ears, answering, memory
        self._tell = tell
        self._typed: Message | None = None  # to be asked next
        self._spoken: Message | None = None  # the question, where it came by microphone and was answered by itself
        self._spoken_end = 0  # the sample at which its clip ends
        self._preparing = Preparing(memory, thinking)

    @property
    def spoken(self) -> bool:
        """The question came by microphone, and was answered by itself."""
        return self._spoken is not None

    async def close(self) -> None:
        await self._preparing.close()

    # ---- what is being asked ------------------------------------------------------------------

    def open(self, at_s: float) -> None:
        """Somebody speaks, from there on."""
        self._ears.open(at_s)
        self._preparing.begin()

    def go_on(self, at_s: float) -> None:
        """The speaker was not done: take the question back, and let its clip grow over the gap."""
        if self._spoken is None or not self._conversation.some([self._spoken.id]):
            self.open(at_s)  # what was asked did not come by microphone, or was deleted: this adds to it
        else:
            self._answering.take_back(self._spoken.id)
            self._ears.go_on(self._spoken.clips[-1], self._spoken_end)

    def forget(self) -> None:
        """Nothing is being said."""
        self._answering.drop()
        self._preparing.begin()

    def type(self, text: str, clips: Sequence[Clip]) -> None:
        self._typed = Message("user", text, tuple(clips))

    def so_far(self, clip: Clip) -> Read:
        """What the model would read if nothing more were said."""
        said = Message("user", "", (clip,), self.speech_id)
        return self.read([*self._conversation.messages, said], self.usual)

    def prepare(self) -> None:
        """What has been said so far is shown to the model, while it has nothing else to do."""
        clip = self._ears.clip
        if clip is not None and not self._answering.at_work:
            self._preparing.show(clip, lambda: self.so_far(clip))

    # ---- what has been asked ------------------------------------------------------------------

    def commit(self, verdict: Verdict | None) -> str:
        """What was typed or said joins the conversation: the message's id. `verdict`: on what was said."""
        if self._typed is not None:
            message, self._typed, self._spoken = self._typed, None, None
        else:
            self._spoken_end = self._ears.clip_end
            if verdict is not Verdict.ASIDE:
                self._ears.answered()
            message = self._spoken = self._said(self._ears.close())
        self._add(message)
        return message.id

    def hand_over(self) -> None:
        """All that was received is what was said, where no speech is looked for: it joins, and is written down."""
        clip = self._ears.take()
        if clip is not None and clip.length:
            message, self._spoken = self._said(clip), None
            self._add(message)
            self._answering.write_down([message.id])

    def take_back(self) -> None:
        """There was nothing to answer in it."""
        if self._spoken is not None:
            self._answering.take_back(self._spoken.id)
            self._spoken = None

    def next(self) -> tuple[Read, Wanted]:
        """What is to be answered now, and how."""
        wanted, self.wanted = self.wanted or self.usual, None
        read = self.read(self._conversation.messages if wanted.messages is None else wanted.messages, wanted)
        if not any(message.role == "user" for message in read):
            read = (*read, GREETING)  # an application asks for the first word
        return read, wanted

    def respond(self, wanted: Wanted | None) -> None:
        """The next answer is to what the conversation holds."""
        self.wanted, self._spoken = wanted, None

    def say(self, words: str) -> None:
        """The next answer is these words, and the model is not asked."""
        self.wanted = replace(self.usual, words=words)

    # ---- what the model reads -----------------------------------------------------------------

    def instructions(self) -> str:
        """What the model is told first."""
        told = self.read([m for m in self._conversation.messages if m.role == "system"], self.usual)
        return told[0].text if told else ""

    def read(self, messages: Sequence[Message], wanted: Wanted) -> Read:
        told = Conversation(list(messages))
        if wanted.instructions is not None:
            told.instruct(wanted.instructions)
        if self._memory.marks == "told" and self.judged:
            told.instruct(instructed(told.instructions))
        return as_read(told.messages)

    def _said(self, clip: Clip | None) -> Message:
        message = Message("user", "", (clip,) if clip else (), self.speech_id)
        self.speech_id = new_id()
        return message

    def _add(self, message: Message) -> None:
        self._conversation.add(message)
        self._preparing.begin()
        self._tell(Asked(message.id, message.text, sum(clip.length for clip in message.clips) / RATE))
