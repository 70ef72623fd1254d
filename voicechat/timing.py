"""The marks of a turn, from which its latencies are read."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a turn took; None where the turn never got there.

    `speech_end_ms` is audio time: from the last sample of speech to the decision that the turn is
    over. The others are wall-clock time from that decision (for a typed turn, from its arrival).
    """

    speech_end_ms: float | None = None
    first_token_ms: float | None = None
    first_audio_ms: float | None = None
    done_ms: float | None = None

    @property
    def voice_to_voice_ms(self) -> float | None:
        """Last sample of speech -> first sample of the answer."""
        if self.speech_end_ms is None or self.first_audio_ms is None:
            return None
        return self.speech_end_ms + self.first_audio_ms

    def as_json(self) -> dict[str, float | None]:
        marks = {name: getattr(self, name) for name in self.__slots__}
        marks["voice_to_voice_ms"] = self.voice_to_voice_ms
        return {name: None if ms is None else round(ms, 1) for name, ms in marks.items()}


class Stopwatch:
    """Runs from the decision that the turn is over; each mark keeps the first time it is passed."""

    def __init__(self, speech_end_ms: float | None = None) -> None:
        self._marks: dict[str, float] = {} if speech_end_ms is None else {"speech_end_ms": speech_end_ms}
        self._start = perf_counter()

    def after(self, secret: Stopwatch) -> Stopwatch:
        """This one, with what was passed before it began: that took no time any more."""
        for name in secret._marks:
            self._marks.setdefault(name, 0.0)
        return self

    def mark(self, name: str) -> None:
        """`name` is one of Timing's fields."""
        self._marks.setdefault(name, (perf_counter() - self._start) * 1e3)

    def passed(self, name: str) -> bool:
        return name in self._marks

    def timing(self) -> Timing:
        return Timing(**self._marks)
