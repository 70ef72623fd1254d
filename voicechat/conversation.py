"""The conversation: messages and clips, cut to what was heard."""

from __future__ import annotations

import itertools
import unicodedata
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

_numbers = itertools.count(1)
RATE = 16_000  # Hz, of every clip
INSTRUCTIONS = "instructions"  # the id of the message that holds them


class Clip:
    """One stretch of sound, 16 kHz mono float32, which may still be growing.

    Samples are only ever added at the end, so another thread may read while one appends.
    """

    def __init__(self, samples: np.ndarray | None = None, name: str = "") -> None:
        self.number = next(_numbers)  # no two clips of a process share it
        self.name = name
        self.length = 0  # samples
        self._pieces: list[np.ndarray] = []
        if samples is not None:
            self.append(samples)

    def append(self, samples: np.ndarray) -> None:
        if len(samples):
            self._pieces.append(samples)
            self.length += len(samples)

    def read(self, start: int = 0) -> np.ndarray:
        """float32 [n]: the samples from `start` to the end."""
        pieces, skip = [], start
        for piece in tuple(self._pieces):
            if skip < len(piece):
                pieces.append(piece[skip:])
            skip = max(0, skip - len(piece))
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def is_blank(text: str) -> bool:
    """Nothing of it can be seen."""
    return all(unicodedata.category(character)[0] in "ZC" for character in text)


def new_id() -> str:
    """A name for a message; no two are alike."""
    return f"item_{uuid.uuid4().hex[:21]}"


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str = ""
    clips: tuple[Clip, ...] = ()
    id: str = field(default_factory=new_id, compare=False)
    mark: str = ""  # with which the model began it; it is never shown


@dataclass(slots=True)
class Conversation:
    """What was said and heard so far, oldest first. An answer stands in its place, empty, from its start."""

    messages: list[Message] = field(default_factory=list)

    @classmethod
    def with_instructions(cls, instructions: str) -> Conversation:
        talk = cls()
        talk.instruct(instructions)
        return talk

    @property
    def instructions(self) -> str:
        """What the model is told first; "" where that is left to it."""
        return "".join(m.text for m in self.messages if m.id == INSTRUCTIONS)

    def instruct(self, instructions: str) -> None:
        """What the model is told first; "" leaves it its own ways."""
        self.messages = [m for m in self.messages if m.id != INSTRUCTIONS]
        if instructions:
            self.messages.insert(0, Message("system", instructions, id=INSTRUCTIONS))

    def add(self, message: Message, after: str | None = None) -> None:
        """At the end, or behind the message of that id; "" puts it first. Raises KeyError for an id that is not there.

        Raises ValueError for a message whose id is taken.
        """
        if any(m.id == message.id for m in self.messages):
            raise ValueError(message.id)
        if after is None:
            self.messages.append(message)
        elif after == "":
            self.messages.insert(sum(m.id == INSTRUCTIONS for m in self.messages), message)
        else:
            self.messages.insert(self._index(after) + 1, message)

    def find(self, id: str) -> Message:
        """Raises KeyError."""
        return self.messages[self._index(id)]

    def some(self, ids: Iterable[str]) -> list[Message]:
        """Those of the messages that are there."""
        return [m for m in self.messages if m.id in set(ids)]

    def say(self, id: str, text: str) -> None:
        """The words of a message, as far as they were heard. Raises KeyError."""
        index = self._index(id)
        self.messages[index] = replace(self.messages[index], text=text)

    def mark(self, id: str, mark: str) -> None:
        """How the model began the answer of that id, if it is there."""
        self.messages = [replace(m, mark=mark) if m.id == id else m for m in self.messages]

    def remove(self, id: str) -> None:
        """Raises KeyError."""
        del self.messages[self._index(id)]

    def discard(self, id: str) -> None:
        """Remove it, if it is there."""
        self.messages = [m for m in self.messages if m.id != id]

    @property
    def sound_s(self) -> float:
        """Seconds of sound in all clips."""
        return sum(clip.length for message in self.messages for clip in message.clips) / RATE

    def shed(self, seconds: float, words: Callable[[str], str]) -> None:
        """Keep the newest `seconds` of sound; of what is older, the words that `words` knows of a message."""
        for index in reversed(range(len(self.messages))):
            message = self.messages[index]
            seconds -= sum(clip.length for clip in message.clips) / RATE
            if seconds < 0 and message.clips and index < len(self.messages) - 2:
                self.messages[index] = replace(message, text=message.text or words(message.id), clips=())

    def question(self) -> list[Message]:
        """The user's messages since the last answer."""
        spoken = [m for m in self.messages if not _silent(m)]
        return list(itertools.takewhile(lambda m: m.role == "user", reversed(spoken)))[::-1]

    def _index(self, id: str) -> int:
        for index, message in enumerate(self.messages):
            if message.id == id:
                return index
        raise KeyError(id)


def as_read(messages: Iterable[Message]) -> tuple[Message, ...]:
    """What the model reads: the user's neighbouring messages are one, answers of which nothing was heard are none."""
    read: list[Message] = []
    for message in messages:
        if _silent(message):
            continue
        if read and message.role == read[-1].role == "user":
            last = read.pop()
            text = " ".join(t for t in (last.text, message.text) if t)
            message = Message("user", text, (*last.clips, *message.clips), message.id)
        read.append(message)
    return tuple(read)


def _silent(message: Message) -> bool:
    return message.role == "assistant" and not message.text.strip()
