"""What is kept of one run. Times are seconds of the stage, but where they are said to count an answer's own sound."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

RATE = 16_000  # Hz


@dataclass(slots=True)
class Span:
    start_s: float
    end_s: float
    gain: float


@dataclass(slots=True)
class Answer:
    """One answer at the client. `sent_s`, `played_s` and the times of its words count its own sound."""

    turn: int
    id: str
    began_at: float
    sounded_at: float | None = None  # the first sample that can be heard
    turned_down_at: list[float] = field(default_factory=list)
    stopped_at: float | None = None  # dropped by the session, or by the next answer
    withdrawn: bool = False  # with its question: nothing of it counts
    sent_s: float = 0.0
    played_s: float = 0.0
    words: list[tuple[float, str]] = field(default_factory=list)  # (when they are over, words)
    spans: list[Span] = field(default_factory=list)  # when it moved on, however softly
    complete: bool = False
    resumes: int = 0

    def text_until(self, seconds: float) -> str:
        return "".join(words for end, words in self.words if end <= seconds + 1e-3)

    @property
    def text(self) -> str:
        """The words that were played to their end."""
        return self.text_until(self.played_s)

    @property
    def played_out(self) -> bool:
        return self.complete and self.stopped_at is None and self.played_s >= self.sent_s - 1e-3

    def played_before(self, at: float) -> float:
        """Seconds of it that had sounded at that time."""
        return sum(max(0.0, min(span.end_s, at) - span.start_s) for span in self.spans)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened, for the timeline."""

    at_s: float
    who: str  # speaker, noise, session, ear
    what: str


@dataclass(slots=True)
class Said:
    part: str
    mark: str  # what it came after
    words: str
    answer: str | None
    spans: list[tuple[float, float]]  # of its pieces, (from, until)

    @property
    def start_s(self) -> float:
        return self.spans[0][0]

    @property
    def end_s(self) -> float:
        return self.spans[-1][1]


@dataclass(slots=True)
class Run:
    number: int
    voice: str
    said: list[Said] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    remembered: dict[str, str] = field(default_factory=dict)
    messages: int = 0  # of the user's that the conversation holds
    stale: int = 0
    length_s: float = 0.0
    late_s: float = 0.0  # of the latest frame; 0 in sample time
    echo: str = ""
    failed: list[str] = field(default_factory=list)
    exact: bool = True  # the client knows the words as finely as the session does
    transit_s: float = 0.0
    sound: np.ndarray | None = None  # float32 [n, 2] at 16 kHz: the microphone, the ear
