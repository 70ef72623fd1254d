"""What a session tells: small frozen dataclasses, handled with `match`.

Times that end in `_s` are seconds of audio received since the session began; those that end in
`_ms` are milliseconds of the wall clock, unless their description says otherwise.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from streaming.endpoint import SpeechPaused, SpeechResumed, SpeechSegment, SpeechStarted
from voicechat.timing import Timing


@dataclass(frozen=True, slots=True)
class Asked:
    """A message of the user's has joined the conversation."""

    id: str
    text: str  # what was typed; "" where it was spoken
    seconds: float  # of sound


@dataclass(frozen=True, slots=True)
class Unasked:
    """The message has been taken back: its speaker goes on and it will come whole, or it cannot be answered."""

    id: str


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user's turn is over and the answer is being made."""

    turn: int
    answer: str = ""  # the id of the answer's message


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next words of the answer, as the model writes them."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """The next sound of the answer. Drop it when `turn` is not the newest turn."""

    turn: int
    samples: np.ndarray = field(repr=False, compare=False)  # float32 mono
    rate: int
    text: str  # the words that end inside this sound


@dataclass(frozen=True, slots=True)
class Answered:
    """All sound of the answer has been made and sent, though not yet played."""

    turn: int
    text: str
    read: int = 0  # tokens, with the conversation so far
    written: int = 0  # tokens
    cut: bool = False  # at the most tokens that were wanted


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model heard the user say, in the message of that id. It may come after the turn."""

    turn: int
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The answer is complete, though not yet played, and the question has been written down."""

    turn: int
    heard: str  # the user's words, as the model transcribes them; typed words as they were typed
    text: str  # the answer
    timing: Timing


@dataclass(frozen=True, slots=True)
class Yielded:
    """Play the answer at this gain from now on. At 0 stop where it is and keep what is left: either it was an
    interruption, and Interrupted follows, or it was none (a cough, an "uh-huh"), and the gain is 1 again."""

    turn: int
    gain: float  # 0..1


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user spoke while the answer was playing: drop what is left of it, at once."""

    turn: int
    heard_s: float  # how much of the answer had been played, in seconds of sound
    text: str  # the words that were played: all that the conversation keeps


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The turn was taken back before anything of its answer was heard, or no more than its very beginning."""

    turn: int


@dataclass(frozen=True, slots=True)
class Speculated:
    """An answer that was begun in secret, at a pause, was wanted after all, or was not: the speaker went on."""

    verdict: str  # what the model made of the question: finished, open, unfinished, aside; "" when it had not yet
    kept: bool
    cost_ms: float  # of the model's and the voice's time, up to now


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody has spoken for long, and a word is said."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """One line, an instruction. `turn` ended with it; without a turn, the input did. The session goes on."""

    message: str
    turn: int | None = None


Event = (
    SpeechStarted | SpeechPaused | SpeechResumed | SpeechSegment
    | Asked | Unasked | TurnStarted | TextDelta | Spoken | Answered | Heard | TurnEnded
    | Yielded | Interrupted | Withdrawn | Speculated | Idle | Failed
)  # fmt: skip


def as_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object: `type` is its name in snake_case; sound becomes its length."""
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    if isinstance(event, Spoken):
        fields["samples"] = len(event.samples)
    if isinstance(event, TurnEnded):
        fields["timing"] = event.timing.as_json()
    return {"type": _name(type(event))} | fields


def from_json(told: Mapping[str, Any]) -> Event:
    """What `as_json` made a JSON object of; sound comes back as silence of its length.

    Fields that are not known here are left out. Raises ValueError where it is no event that is known here.
    """
    kind = KINDS.get(str(told.get("type")))
    try:
        if kind is None:
            raise ValueError("its type is not known")
        fields = {f.name: told[f.name] for f in dataclasses.fields(kind) if f.name in told}
        if kind is Spoken:
            fields["samples"] = np.zeros(told["samples"], np.float32)
        if kind is TurnEnded:
            fields["timing"] = Timing(**{f.name: told["timing"].get(f.name) for f in dataclasses.fields(Timing)})
        event: Event = kind(**fields)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"this is no event ({error}): {told}") from None
    return event


def _name(kind: type) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__).lower()


KINDS = {_name(kind): kind for kind in get_args(Event)}
