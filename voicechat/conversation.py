"""The conversation: messages and clips, cut to what was heard."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

_numbers = itertools.count(1)


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


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str = ""
    clips: tuple[Clip, ...] = ()


@dataclass(slots=True)
class Conversation:
    """What was said and heard so far. The last message is the user's while an answer is being made."""

    messages: list[Message] = field(default_factory=list)

    @classmethod
    def with_instructions(cls, instructions: str) -> Conversation:
        return cls([Message("system", instructions)] if instructions else [])

    def ask(self, text: str = "", clips: Sequence[Clip] = ()) -> None:
        """The user's next turn. After a turn that was never answered, both are one turn."""
        if self.messages and self.messages[-1].role == "user":
            last = self.messages.pop()
            text = " ".join(t for t in (last.text, text) if t)
            clips = (*last.clips, *(c for c in clips if c not in last.clips))
        self.messages.append(Message("user", text, tuple(clips)))

    def answer(self, text: str) -> None:
        """What the assistant said, as far as it was heard. Nothing heard, nothing said."""
        if text.strip():
            self.messages.append(Message("assistant", text))

    def cut_answer(self, heard: str) -> None:
        """Of the answer to the last question, finished or not, keep only the words that were heard."""
        if self.messages and self.messages[-1].role == "assistant":
            self.messages.pop()
        self.answer(heard.rstrip())

    def withdraw(self) -> None:
        """Take back a question that could not be answered, so that the next turn does not trip over it."""
        if self.messages and self.messages[-1].role == "user":
            self.messages.pop()
