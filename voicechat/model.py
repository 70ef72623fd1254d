"""What a session asks of a model. AF3 (`flamingo/`) is one; `echo.py`, without weights, another.

Everything here is blocking and runs on the one thread that belongs to the model. Iterators do a step
of work for each item, so that many conversations can take turns; to stop one is to close it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from voicechat.conversation import Clip, Message


class Memory(Protocol):
    """One conversation as the model holds it: it follows the messages it is shown."""

    @property
    def positions(self) -> int:
        """How many positions (tokens) of the conversation are held now. Of any thread."""
        ...

    @property
    def marks(self) -> Literal["taught", "told", "none"]:
        """Whether answers begin with the marks of `verdict.py`: by training, where the instructions ask for
        them, or never."""
        ...

    @property
    def finished(self) -> float | None:
        """How probable it was that the question was over, as the newest reply began: 1 less the probability of a
        mark. Known from its first item on; None where it never is."""
        ...

    def refuses(self, instructions: str) -> str:
        """One line on instructions that are too long to be followed; "" for any others."""
        ...

    def prepare(self, messages: Sequence[Message]) -> None:
        """Take in whatever of the conversation cannot change any more, while the user still speaks.

        Between the steps of a reply it does nothing: the reply takes in what it needs.
        """

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        """The answer to the last message: an item for each token, "" where that completes no word.

        One at a time: close a reply, or take it to its end, before the conversation's next.
        """
        ...

    def judge(self, clip: Clip, instructions: str) -> Iterator[str]:
        """The beginning of an answer to the clip alone, for its mark; beside a reply that is not over."""
        ...

    def transcribe(self, clip: Clip) -> Iterator[str]:
        """Pieces of the words that were said in the clip, some of them ""; together the whole."""
        ...


class Model(Protocol):
    name: str

    @property
    def longest_s(self) -> float:
        """Seconds of sound that one question may have: who speaks longer is stopped."""
        ...

    def memory(self) -> Memory:
        """A memory for a new conversation."""
