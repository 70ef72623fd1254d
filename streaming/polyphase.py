"""Resampling that is always equally late, and little: a windowed sinc, kept at the phases that two rates need."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

TRANSITION = 0.05  # of the lower rate, around half of it: to 16 kHz, what lies below 7.6 kHz passes whole
STOPBAND_DB = 70.0  # what lies above 8.4 kHz is so much softer
PHASES = 1_024  # at most; rates that need more (44,101 Hz) are off by less than 1 / 1024 of a sample
FEW = 8  # phases: 8, 24, 32 and 48 kHz to 16 have one or two
BLOCK = 1_024  # samples that are made in one go: what they take fits into a cache


class Polyphase:
    """One stream at `rate` Hz -> the same at `to` Hz, however it is cut.

    What comes out trails what went in by half the filter: 2.7 ms where the lower rate is 16 kHz, 5.5 where it is 8.
    That is the price of the filter alone; libraries that filter in blocks (soxr, FFTs) wait for a block besides.

    The filter is Kaiser's: Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.6; the phases are
    those of Crochiere and Rabiner, "Multirate Digital Signal Processing", section 3.4.
    """

    def __init__(self, rate: int, to: int) -> None:
        divisor = math.gcd(rate, to)
        self._up, self._down = to // divisor, rate // divisor
        self._filters = filters(rate, to)
        self._half = self._filters.shape[1] // 2
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(self._half - 1, np.float32)  # silence came before
        self._start = 1 - self._half  # which sample of the stream the first one held is
        self._made = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """float32 [n] -> float32 [m], all that the filter can tell by now."""
        held = np.concatenate([self._held, samples])
        known = self._start + len(held) - self._half  # samples that have the half of a filter behind them
        made = max(self._made, -(-known * self._up // self._down))
        result = np.empty(made - self._made, np.float32)
        if len(result):
            self._fill(result, np.lib.stride_tricks.sliding_window_view(held, 2 * self._half))
        self._made = made
        start = made * self._down // self._up + 1 - self._half
        self._held, self._start = held[start - self._start :].copy(), start
        return result

    def _fill(self, result: np.ndarray, stretches: np.ndarray) -> None:
        """`stretches`: [n, taps], of the stream as it is held."""
        earlier = 1 - self._half - self._start
        if self._up <= FEW:  # every `up`th sample has the same phase: nothing is copied
            for first in range(min(self._up, len(result))):
                whole, phase = divmod((self._made + first) * self._down, self._up)
                same = result[first :: self._up]
                np.vecdot(stretches[whole + earlier :: self._down][: len(same)], self._filters[phase], out=same)
            return
        for first in range(0, len(result), BLOCK):
            block = result[first : first + BLOCK]
            at, phases = np.divmod((self._made + first + np.arange(len(block))) * self._down, self._up)
            np.vecdot(stretches[at + earlier], self._filters[phases * len(self._filters) // self._up], out=block)

    def flush(self) -> np.ndarray:
        """What the filter still holds, float32 [m]; after it a new stream may begin."""
        received = self._start + len(self._held)
        rest = self.push(np.zeros(self._half, np.float32)) if received else np.zeros(0, np.float32)
        self._begin()
        return rest


@lru_cache(maxsize=8)
def filters(rate: int, to: int) -> np.ndarray:
    """float32 [phases, taps] at `rate` Hz: row p makes the sample that lies p / phases after the middle of its taps."""
    lower, phases = min(rate, to), min(to // math.gcd(rate, to), PHASES)
    half = math.ceil((STOPBAND_DB - 7.95) / (14.36 * TRANSITION * lower) / 2 * rate)
    at = np.arange(1 - half, half + 1) - np.arange(phases)[:, None] / phases
    window = np.i0(0.1102 * (STOPBAND_DB - 8.7) * np.sqrt(1 - np.minimum(1, (at / half) ** 2)))
    taps = np.sinc(at * lower / rate) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)
