"""Whether the speaker has finished, as the model judges it: by the mark with which it begins its answer.

A model is told (AF3, by its instructions) or taught (`mini`, by its training) to begin with a mark
where the usual answer at once would be wrong. What follows the mark is what to say if it comes to that.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What the model makes of what it heard; the value is its mark."""

    UNFINISHED = "..."  # the sentence goes on
    OPEN = "~"  # it can end here or go on: digits, letters, a list
    ASIDE = "#"  # nothing to answer: a sign of listening, a noise, talk among others
    FINISHED = ""


SURE = 0.6  # probability with which a model must take a sentence for finished, or for unfinished

# For a model that was not taught the marks. Untried: Audio Flamingo 3 itself has not been run here.
TOLD = (
    "The user speaks to you and may pause. If the sentence has not ended yet, begin your answer with '...'. "
    "If it may end here or go on (digits, letters, a list), begin with '~'. If there is nothing to answer "
    "(a sign of listening, a noise, people talking to each other), begin with '#'. Otherwise answer at once."
)


def instructed(instructions: str) -> str:
    """The instructions, and what a model must be told that was not taught the marks."""
    return f"{instructions or 'You are a helpful assistant.'}\n{TOLD}"


def judge(text: str) -> Verdict | None:
    """The verdict in the beginning of an answer; None while more of it is needed."""
    begun = text.lstrip()
    for verdict in Verdict:
        if verdict.value and begun.startswith(verdict.value):
            return verdict
    if any(verdict.value.startswith(begun) for verdict in Verdict):
        return None
    return Verdict.FINISHED


def weighed(verdict: Verdict, finished: float | None) -> Verdict:
    """The verdict, where the model is sure of it; `finished`: how probable it is that the sentence is over."""
    if finished is None:
        return verdict
    unsure = {Verdict.FINISHED: finished < SURE, Verdict.UNFINISHED: finished > 1 - SURE}
    return Verdict.OPEN if unsure.get(verdict) else verdict


def unmarked(text: str) -> str:
    """The answer without its mark."""
    verdict = judge(text)
    return text if verdict in (None, Verdict.FINISHED) else text.lstrip().removeprefix(verdict.value).lstrip()
