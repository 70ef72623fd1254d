"""What the context has room for, and what is said where something is too long: pure, in words of who wrote or spoke."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SHARE = 0.5  # of the context that instructions may take: the rest is for what is asked and answered
CAUTION = 0.95  # what is told to fit does: other words may take more positions


class Kind(Enum):
    """What it is called, what of it is counted, and what to do."""

    INSTRUCTIONS = ("the instructions have {} characters", "{} can be read", "shorten them")
    TEXT = ("the typed text has {} characters", "{} can be read", "shorten it, or ask in several parts")
    SOUND = ("the sound lasts {} s", "{} s can be heard at once", "send a shorter clip")


@dataclass(frozen=True, slots=True)
class Part:
    """Something of what the model is to read: `size` in characters, or in seconds of sound."""

    kind: Kind
    positions: int
    size: float


def too_long(parts: list[Part], room: int) -> str:
    """One line on the longest of the parts, which together have more positions than there is room for."""
    longest = max(parts, key=lambda part: part.positions)
    others = sum(part.positions for part in parts) - longest.positions
    left = max(room - others, room // 4)
    fits = CAUTION * longest.size * left / longest.positions
    is_, fit, do = longest.kind.value
    beside = " beside the rest of the question" if others > room // 10 else ""
    return f"{is_.format(_number(longest.size))}, of which about {fit.format(_number(fits, 2))}{beside}: {do}"


def _number(count: float, digits: int = 0) -> str:
    """With commas; rounded down to so many digits that count, where it has more."""
    whole = int(count)
    unit = 10 ** max(0, len(str(whole)) - digits) if digits else 1
    return f"{whole // unit * unit:,}"
