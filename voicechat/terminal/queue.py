"""Sound that waits to be played: the event loop adds, a sound card's thread takes."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
import soxr

from voicechat.events import Spoken

RAMP_S = 0.01  # from silence to full, or back: a jump would click


class Sink(Protocol):
    """What takes the answers: a loudspeaker, or what stands in its place."""

    @property
    def lost(self) -> bool:
        """Whether something that should have been kept was not, which has been said."""
        ...

    def begin(self) -> None:
        """The conversation has begun; may be called again."""
        ...

    def add(self, sound: Spoken) -> None:
        """The next sound of an answer; that of an old turn is dropped."""
        ...

    def finish(self, turn: int) -> None:
        """The turn's sound is complete."""
        ...

    def stop(self, turn: int) -> None:
        """Nothing more of this turn, from now on."""
        ...

    def turn_down(self, turn: int, gain: float) -> None:
        """Play this turn at that gain from now on: at 0 hold it where it is, at 1 go on as ever."""
        ...

    def played(self) -> tuple[int, float]:
        """(turn, seconds of its answer that have been heard by now); turn 0 before the first."""
        ...

    def close(self) -> None: ...


class SoundQueue:
    """The answers in the order of their sound. Of a turn that was stopped nothing more comes out; one that is
    held stands still until it goes on.

    No locks: `deque` is safe between two threads, and every attribute has one writer.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate  # Hz, of what comes out
        self.position = (0, 0)  # (turn, samples of it that were taken)
        self._waiting: deque[tuple[int, np.ndarray]] = deque()
        self._current: tuple[int, np.ndarray] = (0, np.zeros(0, np.float32))
        self._newest = 0
        self._wanted = (0, 1.0)  # (turn, gain); every other turn is played as it is
        self._gain = (0, 1.0)  # (turn, gain) of the last sample that was taken
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

    def turn_down(self, turn: int, gain: float) -> None:
        """Play this turn at that gain; at 0 it stands still."""
        self._wanted = (turn, gain)

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
            step = self._at_gain(turn, samples[:size])
            if not len(step):
                break
            self._current = (turn, samples[len(step) :])
            before = self.position[1] if self.position[0] == turn else 0
            self.position = (turn, before + len(step))
            taken.append(step)
            size -= len(step)
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)

    def _at_gain(self, turn: int, samples: np.ndarray) -> np.ndarray:
        """The turn's next samples at the gain that is wanted, or those of them that are still heard before it holds."""
        wanted = self._wanted[1] if self._wanted[0] == turn else 1.0
        gain = self._gain[1] if self._gain[0] == turn else wanted
        if gain != wanted:
            step = 1 / (RAMP_S * self.rate)
            ramp = gain + np.sign(wanted - gain) * step * np.arange(1, len(samples) + 1)
            gains = np.maximum(ramp, wanted) if wanted < gain else np.minimum(ramp, wanted)
            samples, gain = samples * gains.astype(np.float32), float(gains[-1])
            if wanted == 0:
                samples = samples[: int(np.count_nonzero(gains))]
        elif gain == 0:
            samples = samples[:0]
        elif gain != 1:
            samples = samples * np.float32(gain)
        self._gain = (turn, gain)
        return samples
