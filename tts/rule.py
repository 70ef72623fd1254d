"""A rule of reading: what a kind of writing looks like, and what a voice says for it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tts.words import CLOSERS, OPENERS

SPACE = "[ \u00a0\u2009\u202f]"
DASH = f"(?:{SPACE}[-–]{SPACE}|[-–])"  # with a space on one side only it is a sign

Words = str | list[str] | None
"""What is said: one text for the whole match, a list with one for each of its written words, None for "not mine"."""

# With a capital these begin a sentence more often than they go on with a name: "the U.S. They left", "etc. The".
_OPENING = frozenset(
    "The A An I It He She They We You This That These Those There Here And But So Or Then If When While What Who How "
    "Why Where In On At For From With By After Before As Is Are Was Were Do Does Did My Your His Her Its Our Their "
    "Not No Yes To Of Most Many Some All Each Every Now Let Please".split()
)
_NEAR = 40  # characters looked at around a match, so that reading stays linear


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` finds candidates, `read` says what is pronounced for one.

    A pattern takes linear time on any text: its repetitions are bounded, or possessive from a start that no
    other match can have.
    """

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], Words]


def rule(pattern: str, read: Callable[[re.Match[str]], Words] | str) -> Rule:
    """The rule of a pattern and its reading; a plain text reads every match alike."""
    if isinstance(read, str):
        words = read
        return Rule(re.compile(pattern), lambda match: words)
    return Rule(re.compile(pattern), read)


def choice(written: Iterable[str]) -> str:
    """A pattern for any of these texts, the longest first."""
    return "|".join(re.escape(text) for text in sorted(written, key=len, reverse=True))


def word_before(match: re.Match[str]) -> str:
    """The written word before a match, without brackets and quotes; "" at the beginning."""
    words = match.string[max(0, match.start() - _NEAR) : match.start()].split()
    return words[-1].strip(OPENERS + CLOSERS) if words else ""


def word_after(match: re.Match[str]) -> str:
    """The letters of the written word after a match; "" where something else follows."""
    found = re.match(r"\s*([^\W\d_]+)", match.string[match.end() : match.end() + _NEAR])
    return found[1] if found else ""


def opens(word: str) -> bool:
    """Whether a word more likely begins a sentence than goes on with a name."""
    return word in _OPENING


def stop(match: re.Match[str]) -> str:
    """The stop that ends an abbreviation, where it ends the sentence too; else ""."""
    rest = match.string[match.end() : match.end() + _NEAR]
    line = rest.split("\n", 1)[0].strip(CLOSERS + " \t")
    if not line and ("\n" in rest or len(rest) < _NEAR):
        return "."
    return "." if rest[:1].isspace() and opens(word_after(match)) else ""
