"""What the loudspeaker of this machine plays, taken out of what its microphone hears."""

from __future__ import annotations

from collections import deque

import numpy as np

from streaming.aec import EchoCanceller
from streaming.audio import RATE, AudioChunk, Blocks, Resampler

SLACK_S = 0.02  # of silence before the loudspeaker's first sample: its blocks and the microphone's take turns
BEHIND_S = 0.25  # the loudspeaker's clock runs faster: what it is ahead by more is given up


class Loopback:
    """Both devices run all the time, so the n-th sample of the one is as late after the n-th of the other as ever."""

    def __init__(self, rate: int) -> None:
        """`rate`: of the loudspeaker, Hz."""
        self._loudspeaker, self._microphone = Resampler(rate), Resampler(RATE)
        self._canceller = EchoCanceller(RATE)
        self._blocks = Blocks(self._canceller.block)
        self._played: deque[np.ndarray] = deque()
        self._rest = np.zeros(round(SLACK_S * RATE), np.float32)
        self._cleaned = 0  # samples

    def play(self, samples: np.ndarray) -> None:
        """float32 [n] that the loudspeaker plays next, silence too. On PortAudio's thread."""
        self._played.append(samples)

    def clean(self, chunk: AudioChunk) -> AudioChunk:
        """What the microphone hears beside that, at 16 kHz; what does not fill 10 ms waits for the next."""
        if chunk.rate != self._microphone.rate:
            self._microphone = Resampler(chunk.rate)
        cleaned = [
            self._canceller.process(block, self._beside(len(block)))
            for block in self._blocks.push(self._microphone.push(chunk.samples))
        ]
        samples = np.concatenate(cleaned) if cleaned else np.zeros(0, np.float32)
        self._cleaned += len(samples)
        return AudioChunk(samples, RATE, (self._cleaned - len(samples)) / RATE)

    def _beside(self, count: int) -> np.ndarray:
        pieces = [self._rest]
        while self._played:
            pieces.append(self._loudspeaker.push(self._played.popleft()))
        held = np.concatenate(pieces)
        if len(held) < count:  # it has been opened later, or has run dry
            held = np.concatenate((held, np.zeros(count - len(held), np.float32)))
        if len(held) > BEHIND_S * RATE:
            held = held[-round(SLACK_S * RATE) - count :]
        self._rest = held[count:]
        return held[:count]
