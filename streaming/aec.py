"""Echo cancellation: what the loudspeaker plays, taken out of what the microphone hears.

WebRTC's AEC3, in livekit's binding. Where that is not installed, nothing is cancelled.
"""

from __future__ import annotations

import atexit
import time
from functools import cache
from typing import Any

import numpy as np

from streaming.echo_path import LONGEST_S, EchoPath

rtc: Any
try:
    from livekit import rtc
except ImportError:  # no wheel for this machine
    rtc = None

BLOCK_S = 0.01  # AEC3 works on blocks of this length
TAIL_S = 1.0  # in which a room and a network bring back the last of what was played
PRIMED_S = 0.5  # of the past, from which AEC3 learns the room at once
ROUNDS = 3  # it goes through that so often; each takes 7 ms
EARLY_S = 0.016  # what is played is shown to AEC3 so long before its echo
SHIFTED_S = 0.024  # AEC3's own filter bridges a delay that changes by less
ONSET_S = 0.5  # of echo behind a pause: AEC3 lets the first of it through, so nothing as soft as it passes
PAUSE_S = 0.2
MARGIN = 4.0  # by which who speaks then must be more powerful than the echo
SOFT = 1e-6  # power of an echo that nobody takes for speech
FULL_SCALE = 32767.0
LEAVE_S = 0.1  # a call from livekit's threads takes far less


class EchoCanceller:
    """float32 mono of `rate` Hz (8,000, 16,000, 32,000 or 48,000), block by block: [rate / 100] samples.

    AEC3 looks for the delay by itself, but takes a second for it, and loses it when the playback stops for a
    moment. Here it is given what was played as it is known to come back.
    """

    available = rtc is not None

    def __init__(self, rate: int) -> None:
        """Raises ValueError for a rate that AEC3 does not work at."""
        if rate not in (8_000, 16_000, 32_000, 48_000):
            raise ValueError(f"echo is not cancelled at {rate} Hz: resample to 16000")
        self.rate, self.block = rate, round(BLOCK_S * rate)
        self._path = EchoPath(rate)
        self._module: Any = None  # AEC3, from the first echo on
        self._delay = 0  # samples by which it is shown later what is played
        self._past = np.zeros((2, round((PRIMED_S + LONGEST_S) * rate)), np.float32)  # heard, played
        self._quiet_s = TAIL_S  # since something was played
        self._loss = 0.0  # power of the echo / power of what is played
        self._power = 0.0  # of the echo, now
        self._silent_s = self._onset_s = 0.0  # of the echo: its last pause, and what came of it since

    @staticmethod
    def load() -> None:
        """Load AEC3 now, which the first echo would do in the middle of a conversation."""
        if rtc is not None:
            _aec3()

    @property
    def echoes(self) -> bool:
        """The microphone has been found to hear what is played."""
        return self._path.there

    def process(self, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
        """One block of the microphone without the echo of what was played until then.

        `played` comes 0.01 to 0.45 s before its echo. `heard` is left as it is long after the last of
        it, and until an echo is found, which takes about half a second of sound.
        """
        self._quiet_s = 0.0 if played.any() else self._quiet_s + BLOCK_S
        if rtc is None or self._quiet_s >= TAIL_S:
            return heard
        self._past = np.concatenate((self._past[:, self.block :], np.stack((heard, played))), axis=1)
        self._path.push(heard, played)
        if not self.echoes:
            self._module = None
            return heard
        delay = max(0, self._path.delay - round(EARLY_S * self.rate))
        if self._module is None or abs(delay - self._delay) > SHIFTED_S * self.rate:
            self._learn(delay)
        clean = self._cancel(0)
        return np.zeros_like(clean) if self._sets_in(heard) else clean

    def _learn(self, delay: int) -> None:
        """The room, from the last half second."""
        self._module, self._delay, self._onset_s = _aec3(), delay, 0.0
        for _ in range(ROUNDS):
            for blocks in range(round(PRIMED_S / BLOCK_S) - 1, 0, -1):
                self._cancel(blocks)
        heard, played = self._past[:, -round(PRIMED_S * self.rate) :], self._echoed(PRIMED_S)
        self._loss = _power(heard[0]) / max(_power(played), 1e-9)

    def _sets_in(self, heard: np.ndarray) -> bool:
        """The echo has begun a moment ago, and nothing louder is heard."""
        self._power = max(self._loss * _power(self._echoed(BLOCK_S)), 0.7 * self._power)  # it dies away
        if self._power < SOFT:
            self._silent_s += BLOCK_S
            return False
        if self._silent_s > PAUSE_S:
            self._onset_s = 0.0
        self._silent_s, self._onset_s = 0.0, self._onset_s + BLOCK_S
        return self._onset_s <= ONSET_S and _power(heard) < MARGIN * self._power

    def _echoed(self, seconds: float) -> np.ndarray:
        """What was played and comes back in the last seconds."""
        end = self._past.shape[1] - self._path.delay
        return self._past[1, end - round(seconds * self.rate) : end]

    def _cancel(self, blocks: int) -> np.ndarray:
        """The block that came so many blocks ago, without its echo."""
        end = self._past.shape[1] - blocks * self.block
        self._module.process_reverse_stream(
            self._frame(self._past[1, end - self.block - self._delay : end - self._delay])
        )
        frame = self._frame(self._past[0, end - self.block : end])
        self._module.process_stream(frame)
        return np.frombuffer(frame.data, np.int16).astype(np.float32) / FULL_SCALE

    def _frame(self, samples: np.ndarray) -> Any:
        whole = np.clip(samples * FULL_SCALE, -FULL_SCALE, FULL_SCALE).astype(np.int16)
        return rtc.AudioFrame(bytearray(whole.tobytes()), self.rate, 1, len(whole))


def _aec3() -> Any:
    _leave_in_peace()
    return rtc.AudioProcessingModule(echo_cancellation=True)


@cache
def _leave_in_peace() -> None:
    """Let livekit's threads finish what they tell Python (their log) before Python ends.

    A thread that is met in such a call aborts the process, "panic in a function that cannot unwind". Called before
    livekit begins, so that it waits after livekit's own function for the exit, from which on no new call is made.
    """
    atexit.register(time.sleep, LEAVE_S)


def _power(samples: np.ndarray) -> float:
    return float(np.mean(samples**2))
