"""A model that knows the script: it judges and answers rightly, so that whatever goes wrong is the turn taking's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Literal

from voicechat.conversation import Clip, Message
from voicechat.verdict import Verdict

if TYPE_CHECKING:
    from bench.stage import Stage

OTHERWISE = {
    Verdict.UNFINISHED: "Go on, I am listening.",
    Verdict.ASIDE: "I heard no question, and so I say this.",
    Verdict.OPEN: "You have not said all of it, as far as I know.",
    Verdict.FINISHED: "Okay.",
}
"""What is said where the script wants no answer, or not yet."""


class Oracle:
    name = "oracle"
    longest_s = inf
    stage: Stage  # whose script it knows

    def memory(self) -> OracleMemory:
        return OracleMemory(self)


class OracleMemory:
    """It goes by what has been said on the stage by now, and never listens."""

    positions = 0
    finished: float | None = None
    marks: Literal["taught", "told", "none"] = "taught"

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def refuses(self, instructions: str) -> str:
        return ""

    def prepare(self, messages: Sequence[Message]) -> None:
        pass

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        yield from self._words()

    def judge(self, clip: Clip, instructions: str) -> Iterator[str]:
        yield from self._words()

    def transcribe(self, clip: Clip) -> Iterator[str]:
        yield f"({clip.length / 16_000:.1f} seconds of sound)"

    def _words(self) -> Iterator[str]:
        said = self._oracle.stage.newest
        verdict, answer = said if said is not None else (Verdict.ASIDE, None)
        yield verdict.value
        for word in (answer or OTHERWISE[verdict]).split():
            yield f"{word} "
