"""What a session asks of a model. AF3 (`flamingo/`) is one; `echo.py`, without weights, another.

Everything here is blocking and runs on the one thread that belongs to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from voicechat.conversation import Clip, Message

Emit = Callable[[str], bool]
"""Takes the next words; False means that nobody wants more: stop."""


class Memory(Protocol):
    """One conversation as the model holds it: it follows the messages it is shown."""

    def prepare(self, messages: Sequence[Message]) -> None:
        """Take in whatever of the conversation cannot change any more, while the user still speaks."""

    def reply(self, messages: Sequence[Message], emit: Emit) -> None:
        """Answer the last message, handing over words as they are decoded."""

    def transcribe(self, clip: Clip) -> str:
        """The words that were said in the clip; "" where there are none."""


class Model(Protocol):
    name: str

    def memory(self) -> Memory:
        """A memory for a new conversation."""
