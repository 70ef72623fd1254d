"""Whether a live microphone delivers: pure, with the shell's clock. Time itself is samples received, and nothing else.

A stream can stop in mid-speech: a mute that stops it, discontinuous transmission, a network that stalls. Then the time
in which nothing came counts as silence, so that the speaker is answered; what comes late of it is known by its haste.
"""

from __future__ import annotations

STARVED_S = 1.0  # without a sample that was due
LEAD_S = 1.0  # by which sound that came in a burst may be ahead of real time
FIRST_S = 0.25  # of silence counted first: the model has a moment to judge the pause
CATCH_UP = 3.0  # then it is counted so much faster than it passes, until all of it is
LATE_S = 0.3  # faster than real time: it was kept up somewhere


class Supply:
    """The arrivals of one stream. `now` is seconds by any clock that only goes forward."""

    def __init__(self) -> None:
        self.late = False  # what comes now was said while nothing came
        self._due: float | None = None  # when the next sample is; None before the first one
        self._filled_s = 0.0  # of silence that has been counted since the last sample
        self._usual_s = 0.0  # the length of a chunk
        self._since: float | None = None  # when the stream came back
        self._came_s = 0.0  # since then

    def arrive(self, seconds: float, now: float) -> None:
        """So much sound has come."""
        if self._filled_s:
            self._since, self._came_s = now, 0.0
        elif self._since is None:
            self._usual_s = seconds
        self._filled_s = 0.0
        self._came_s += seconds
        self.late = self._since is not None and self._came_s - self._usual_s - (now - self._since) > LATE_S
        self._due = min(now + LEAD_S, (now if self._due is None else max(now, self._due)) + seconds)

    def missing(self, now: float) -> float:
        """Seconds in which nothing came, to be counted as silence now; asked again and again, they come bit by bit."""
        if self._due is None or now - self._due < STARVED_S:
            return 0.0
        missed_s = now - self._due
        counted_s, self._filled_s = self._filled_s, min(missed_s, FIRST_S + CATCH_UP * (missed_s - STARVED_S))
        return self._filled_s - counted_s
