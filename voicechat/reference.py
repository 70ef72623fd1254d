"""What the client is playing, as a stream beside the microphone's: an echo canceller listens to both."""

from __future__ import annotations

from collections import deque

import numpy as np

from streaming.audio import RATE, Resampler
from voicechat.events import Spoken

SLIP_S = 0.08  # between where an answer is taken to be and where it is known to be, before it is believed
KEPT_S = 30.0  # of an answer's sound, behind where it plays


class Reference:
    """The newest answer's sound at 16 kHz. It moves on with the samples of the microphone, not with reports:
    a canceller learns the way from the one to the other, and would have to learn it again at every jump."""

    def __init__(self) -> None:
        self.gain = (
            1.0  # at which the client plays it; at 0 it stands still, any other is for the canceller to find out
        )
        self._turn = 0
        self._resampler: Resampler | None = None
        self._sound: deque[np.ndarray] = deque()
        self._start = self._end = 0  # samples of the answer: the first and the last that are kept
        self._at: int | None = None  # the next to be played

    def add(self, sound: Spoken) -> None:
        """More of an answer; the first of another one ends the one before."""
        if sound.turn != self._turn or self._resampler is None or self._resampler.rate != sound.rate:
            self.stop()
            self._turn, self._resampler = sound.turn, Resampler(sound.rate)
            self.gain = 1.0
        samples = self._resampler.push(sound.samples)
        if len(samples):
            self._sound.append(samples)
            self._end += len(samples)

    def stop(self) -> None:
        """Nothing more of it is played."""
        self._sound.clear()
        self._start = self._end = 0
        self._at, self._resampler = None, None

    def next(self, count: int, position_s: float) -> np.ndarray:
        """float32 [count]: what is played beside the next samples of the microphone; `position_s` is where the answer
        is believed to be (seconds of it)."""
        out = np.zeros(count, np.float32)
        if self.gain == 0.0 or not self._sound:
            self._at = None  # it goes on where the client has stopped, which was told meanwhile
            return out
        believed = round(position_s * RATE)
        if self._at is None or abs(believed - self._at) > SLIP_S * RATE:
            self._at = believed
        first, place = self._at, self._start
        for piece in self._sound:
            low, high = max(first, place), min(first + count, place + len(piece))
            if low < high:
                out[low - first : high - first] = piece[low - place : high - place]
            place += len(piece)
        self._at = min(first + count, self._end)
        while self._sound and self._start + len(self._sound[0]) < self._at - KEPT_S * RATE:
            self._start += len(self._sound.popleft())
        return out
