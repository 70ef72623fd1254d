"""Who speaks to us is louder than who talks beside us: the level of voices, frame by frame.

Pure: levels and speech probabilities in, probabilities out; no audio, no clock.
"""

from __future__ import annotations

import math

import numpy as np

FURTHER_DB = 15.0  # below our speaker's level a voice is taken to be somebody else's
HOLD_S = 0.5  # a voice's level is that of its loudest frame within so much time
TRUST = 0.5  # of a turn's level, in what is known of the speaker's
RELENT_DB_S = 1.0  # for each second of a voice that is let pass: our speaker may have stepped back
FLOOR_DB = -100.0


def level_db(frame: np.ndarray) -> float:
    """The level of a frame in dB below full scale (RMS)."""
    return max(FLOOR_DB, 20 * math.log10(float(np.sqrt(np.mean(frame * frame))) + 1e-9))


class Nearness:
    """Lets pass the voices that are much softer than whoever was answered before."""

    def __init__(self, frame_s: float = 0.032) -> None:
        self.speaker_db: float | None = None  # of whom we talk with
        self._frame_s = frame_s
        self._recent: list[float] = []  # levels, the newest last

    def step(self, level: float, probability: float) -> float:
        """A frame's level (dB) and speech probability -> the probability that it is speech to us."""
        self._recent = [*self._recent, level][-max(1, round(HOLD_S / self._frame_s)) :]
        if self.speaker_db is None or probability < 0.5:
            return probability
        if max(self._recent) >= self.speaker_db - FURTHER_DB:
            return probability
        self.speaker_db -= RELENT_DB_S * self._frame_s
        return 0.0

    def answered(self, level: float) -> None:
        """What was said at this level (dB, of its loudest frame) was for us."""
        known = self.speaker_db
        self.speaker_db = level if known is None else known + TRUST * (level - known)
