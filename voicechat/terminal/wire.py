"""Sound as a server takes and gives it: 16-bit little-endian mono at 24 kHz, in base64."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr

from streaming.audio import RATE as MODEL_RATE
from streaming.audio import AudioChunk, AudioError, MixDown
from streaming.polyphase import Polyphase
from voicechat.conversation import Clip
from voicechat.errors import InputError

RATE = 24_000  # Hz
FULL = 32_768  # int16 of a sample of 1.0
CLIPS_S = 360.0  # of one message: a server takes 24 MiB in one frame


def encoded(samples: np.ndarray) -> str:
    """float32 [n] at 24 kHz -> base64."""
    whole = np.clip(np.rint(samples * FULL), -FULL, FULL - 1).astype("<i2")
    return base64.b64encode(whole.tobytes()).decode()


def decoded(text: str) -> np.ndarray:
    """base64 -> float32 [n] at 24 kHz."""
    return np.frombuffer(base64.b64decode(text), "<i2").astype(np.float32) / np.float32(FULL)


def encoded_clip(clip: Clip) -> str:
    """A whole clip."""
    return encoded(soxr.resample(clip.read(), MODEL_RATE, RATE))


def check_clips(recordings: Sequence[tuple[Path, AudioChunk]]) -> None:
    """Raises InputError where they are more than a server takes."""
    seconds = sum(audio.seconds for _, audio in recordings)
    if seconds > CLIPS_S:
        raise InputError(
            f"{' and '.join(str(path) for path, _ in recordings)} last {seconds / 60:.1f} min, and a server takes "
            f"{CLIPS_S / 60:.0f} min of --attach at the most: cut, or leave out --server"
        )


class Upload:
    """A microphone's stream, at any rate -> pieces of at least `piece_s` seconds for the wire."""

    def __init__(self, piece_s: float) -> None:
        self._size = round(piece_s * RATE)
        self._waiting: list[np.ndarray] = []
        self._rate, self._mix = RATE, MixDown(RATE)
        self._stream: Polyphase | None = None  # None where the source has the wire's rate

    def push(self, chunk: AudioChunk) -> np.ndarray:
        """float32 [n] at 24 kHz; n = 0 while a piece fills. Raises AudioError; then nothing of the chunk enters."""
        if chunk.rate != self._rate:
            self._end()
            self._stream = None if chunk.rate == RATE else Polyphase(chunk.rate, RATE)
            self._rate, self._mix = chunk.rate, MixDown(chunk.rate)
        samples = self._mix.push(chunk.samples)
        if not np.isfinite(samples).all():
            raise AudioError(
                f"the audio holds NaN or infinite samples at {chunk.start_s:.3f} s; this chunk was dropped and the "
                "stream goes on: check the source's gain or driver"
            )
        self._waiting.append(samples if self._stream is None else self._stream.push(samples))
        return self.take() if sum(map(len, self._waiting)) >= self._size else np.zeros(0, np.float32)

    def take(self) -> np.ndarray:
        """What waits, float32 [n], be it less than a piece."""
        taken, self._waiting = self._waiting, []
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)

    def flush(self) -> np.ndarray:
        """The rest, with what the filter still holds; after it a new stream may begin."""
        self._end()
        self._rate, self._mix, self._stream = RATE, MixDown(RATE), None
        return self.take()

    def _end(self) -> None:
        if self._stream is not None:
            self._waiting.append(self._stream.flush())
