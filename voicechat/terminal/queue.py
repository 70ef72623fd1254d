"""Sound that waits to be played: the event loop adds, a sound card's thread takes."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
import soxr

from voicechat.events import Spoken


class Sink(Protocol):
    """What takes the answers: a loudspeaker, or what stands in its place."""

    def add(self, sound: Spoken) -> None:
        """The next sound of an answer; that of an old turn is dropped."""
        ...

    def finish(self, turn: int) -> None:
        """The turn's sound is complete."""
        ...

    def stop(self, turn: int) -> None:
        """Nothing more of this turn, from now on."""
        ...

    def played(self) -> tuple[int, float]:
        """(turn, seconds of its answer that have been heard by now); turn 0 before the first."""
        ...

    def close(self) -> None: ...


class SoundQueue:
    """The answers in the order of their sound. Of a turn that was stopped nothing more comes out.

    No locks: `deque` is safe between two threads, and every attribute has one writer.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate  # Hz, of what comes out
        self.position = (0, 0)  # (turn, samples of it that were taken)
        self._waiting: deque[tuple[int, np.ndarray]] = deque()
        self._current: tuple[int, np.ndarray] = (0, np.zeros(0, np.float32))
        self._newest = 0
        self._resampler: soxr.ResampleStream | None = None

    def add(self, sound: Spoken) -> None:
        """The sound of an old turn is dropped."""
        if sound.turn < self._newest:
            return
        if sound.turn > self._newest:
            self._newest = sound.turn
            other = sound.rate != self.rate
            self._resampler = soxr.ResampleStream(sound.rate, self.rate, 1, quality="HQ") if other else None
        samples = sound.samples if self._resampler is None else self._resampler.resample_chunk(sound.samples)
        self._waiting.append((sound.turn, samples))

    def finish(self, turn: int) -> None:
        """The turn's sound is complete: what the resampler still holds of it can be played."""
        if self._resampler is not None and turn == self._newest:
            self._waiting.append((turn, self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)))
            self._resampler = None

    def stop(self, turn: int) -> None:
        """Drop this turn and those before it, at once."""
        self._newest = max(self._newest, turn + 1)
        self._waiting.clear()

    def take(self, size: int) -> np.ndarray:
        """The next samples, float32 [n], n <= size."""
        taken: list[np.ndarray] = []
        while size > 0:
            turn, samples = self._current
            if turn < self._newest or not len(samples):
                try:
                    self._current = self._waiting.popleft()
                except IndexError:
                    break
                continue
            step = samples[:size]
            self._current = (turn, samples[len(step) :])
            before = self.position[1] if self.position[0] == turn else 0
            self.position = (turn, before + len(step))
            taken.append(step)
            size -= len(step)
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)
