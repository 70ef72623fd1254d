"""Whether the microphone hears the loudspeaker at all.

An echo canceller that is given no echo takes the user's own voice for one: headphones, or a browser that has
cancelled already, must be noticed. The sign of an echo is a peak of the generalized cross-correlation with phase
transform (GCC-PHAT, Knapp and Carter 1976) that stays at one delay.
"""

from __future__ import annotations

import numpy as np

WINDOW_S, HOP_S = 0.5, 0.1
SHORTEST_S, LONGEST_S = 0.01, 0.45  # from the loudspeaker's samples to their echo in the microphone's
PEAK = 25.0  # of the correlation against its mean square: the same synthetic voice, saying something else, reaches 20
STAYS = 12.0  # and other sounds 8
SAME_S = 0.001  # two peaks at the same delay
MEMORY = 0.9  # of the correlation from hop to hop
NARROW = 1e-2  # of the mean power of a band: what is softer says nothing of the phase, behind a tone for example
GONE_S = 3.0  # so much was played, and no echo of it was heard
AUDIBLE = 1e-3  # of full scale


class EchoPath:
    """`there`: what is played is heard, `delay` samples later."""

    def __init__(self, rate: int) -> None:
        self.there, self.delay = False, 0
        self._rate, self._window, self._hop = rate, round(WINDOW_S * rate), round(HOP_S * rate)
        self._heard, self._played = np.zeros(self._window, np.float32), np.zeros(self._window, np.float32)
        self._new = 0  # samples since the last hop
        self._phase = np.zeros(self._window + 1, np.complex128)  # of the cross spectrum, over the hops
        self._peak = (0, 0.0)  # samples of delay and height of the last one
        self._missed_s = 0.0  # since the last peak

    def push(self, heard: np.ndarray, played: np.ndarray) -> None:
        """float32 [n] each, n at most `HOP_S`, of which `played` comes
        `SHORTEST_S` to `LONGEST_S` before its echo."""
        for kept, new in ((self._heard, heard), (self._played, played)):
            kept[: -len(new)], kept[-len(new) :] = kept[len(new) :].copy(), new
        self._new += len(heard)
        if self._new >= self._hop:
            self._new = 0
            if np.abs(self._played).max() > AUDIBLE:
                self._look()

    def _look(self) -> None:
        size = 2 * self._window
        cross = np.conj(np.fft.rfft(self._played, size)) * np.fft.rfft(self._heard, size)
        power = np.abs(cross)
        self._phase = MEMORY * self._phase + cross / (power + NARROW * power.mean() + 1e-12)
        correlation = np.fft.irfft(self._phase)
        first, end = round(SHORTEST_S * self._rate), round(LONGEST_S * self._rate)  # at 0 the windows' edges meet
        delay = first + int(np.argmax(correlation[first:end]))
        height = float(correlation[delay] / (np.sqrt(np.mean(correlation**2)) + 1e-12))
        (before, lower), self._peak = self._peak, (delay, height)
        self._missed_s = 0.0 if height > STAYS else self._missed_s + HOP_S
        if height >= lower > PEAK and abs(delay - before) <= SAME_S * self._rate:  # two onsets meet, and then no more
            self.there, self.delay = True, delay
        elif self._missed_s >= GONE_S:
            self.there = False
