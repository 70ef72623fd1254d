"""Audio as it arrives: chunks, channels mixed down, resampling to what the model hears, fixed-size blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streaming.polyphase import Polyphase

RATE = 16_000  # Hz, what the model hears
RATES = (4_000, 192_000)  # Hz, the lowest and the highest source rate
CANCELLED = 0.25  # of the energy that unrelated channels leave: a mean that leaves less has lost something
MEMORY_S = 0.3  # of sound by which channels are judged, beside what has just come
FADE_S = 0.01  # in which a channel is turned over


class AudioError(ValueError):
    """Audio that cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """A stretch of a stream: `samples` float32 mono [n] in [-1, 1] at `rate` Hz, `start_s` seconds in."""

    samples: np.ndarray
    rate: int
    start_s: float = 0.0

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def end_s(self) -> float:
        return self.start_s + self.seconds


def chunks(audio: AudioChunk, seconds: float = 0.02) -> Iterator[AudioChunk]:
    """`audio` as a microphone would deliver it: in pieces of `seconds`, the last one shorter."""
    if seconds <= 0:
        raise AudioError(f"chunks of {seconds} s cannot be cut: give a positive length, e.g. 0.02")
    step = max(1, round(seconds * audio.rate))
    for at in range(0, len(audio.samples), step):
        yield AudioChunk(audio.samples[at : at + step], audio.rate, audio.start_s + at / audio.rate)


class MixDown:
    """One stream of any number of channels -> mono: their mean.

    Channels of opposite polarity (a balanced cable in a stereo input) would cancel. Where the mean leaves less than
    a quarter of the energy that unrelated channels leave, every channel that runs against the louder ones is turned
    over, and stays so until the same happens the other way round. The loudest channel keeps its polarity, so what
    comes out keeps its own, in mid-word too. What is pushed is judged before it is mixed: of a stream that cancels
    from the start nothing is lost, and a file, pushed in larger pieces, is judged by more of it.
    """

    def __init__(self, rate: int) -> None:
        """`rate`: of the stream, Hz."""
        self._memory, self._fade = MEMORY_S * rate, round(FADE_S * rate)
        self._signs = np.ones(1)
        self._energies = np.zeros((1, 1))  # of each channel with each other, over the last MEMORY_S

    def push(self, samples: np.ndarray) -> np.ndarray:
        """[n] or [n, channels], float or int16 -> a new float32 [n]: the caller may reuse its buffer.

        Raises AudioError for another type or shape.
        """
        whole = _as_float(samples)
        if whole.ndim == 1 or whole.shape[1] == 1:
            return whole.reshape(-1)
        channels = whole.shape[1]
        if channels != len(self._signs):
            self._signs, self._energies = np.ones(channels), np.zeros((channels, channels))
        before = self._signs if self._energies.any() else None
        self._judge(whole)
        mono: np.ndarray = whole @ (self._signs / channels).astype(np.float32)
        if before is not None and (before != self._signs).any():
            size = min(self._fade, len(mono))
            new = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
            mono[:size] = new * mono[:size] + (1 - new) * (whole[:size] @ (before / channels).astype(np.float32))
        return mono

    def _judge(self, samples: np.ndarray) -> None:
        """Turns channels over where the mean of all that is remembered cancels."""
        wide = samples.astype(np.float64)
        energies = wide.T @ wide + np.exp(-len(wide) / self._memory) * self._energies
        if not np.isfinite(energies).all():  # refused by whoever asked for it; nothing of it is remembered
            return
        self._energies = energies
        if self._signs @ energies @ self._signs >= CANCELLED * np.trace(energies):
            return
        loudness = np.diag(energies).copy()
        loudness[0] *= 1.5  # of channels that are about as loud the first one stays as it is
        signs = np.zeros(len(energies))
        for channel in np.argsort(-loudness, kind="stable"):
            kept = self._signs[channel]
            signs[channel] = kept if kept * (signs @ energies[channel]) >= 0 else -kept
        self._signs = signs


class Resampler:
    """One stream at any rate -> 16 kHz mono, whatever the sizes of the chunks.

    What comes out is 2.7 ms late (of an 8-kHz source 5.5), always, and whole up to 7.5 kHz. soxr works in batches:
    its "LQ" filter is 3 to 20 ms late, 11 on average, and takes 13 dB off at 7 kHz; "MQ" and "HQ" are 5 to 38 ms
    late, 21 on average (from 24 and 48 kHz, chunks of 20 ms). A 16-kHz source passes untouched and at once.
    Raises AudioError for a rate outside 4-192 kHz.
    """

    def __init__(self, rate: int) -> None:
        check_rate(rate, "this source")
        self.rate = rate
        self._received = 0
        self._mix = MixDown(rate)
        self._stream = None if rate == RATE else Polyphase(rate, RATE)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """[n] or [n, channels], float or int16 -> float32 [m] at 16 kHz, m = 0 while the filter fills.

        Raises AudioError for samples that are NaN or infinite, or of another type; nothing of them enters.
        """
        mono = self._mix.push(samples)
        bad = np.flatnonzero(~np.isfinite(mono))
        if bad.size:
            at_s = (self._received + int(bad[0])) / self.rate
            raise AudioError(
                f"the audio holds NaN or infinite samples at {at_s:.3f} s; this chunk was dropped and the "
                "stream goes on: check the source's gain or driver"
            )
        self._received += len(mono)
        return mono if self._stream is None else self._stream.push(mono)

    def flush(self) -> np.ndarray:
        """What the filter still holds, float32 [m]; after it a new stream may begin."""
        self._received, self._mix = 0, MixDown(self.rate)
        return np.zeros(0, np.float32) if self._stream is None else self._stream.flush()


class Blocks:
    """Blocks of exactly `size` samples out of chunks of any size; what remains waits for the next chunk."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise AudioError(f"blocks of {size} samples cannot be cut: give a size of 1 or more")
        self.size = size
        self.rest = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray) -> list[np.ndarray]:
        """float32 [n] -> as many blocks [size] as are full now."""
        held = np.concatenate([self.rest, samples])
        full = len(held) - len(held) % self.size
        self.rest = held[full:].copy()  # a view would keep all of `held` alive
        return [held[at : at + self.size] for at in range(0, full, self.size)]


def check_rate(rate: int, what: str) -> None:
    """Raises AudioError for a source that cannot be resampled."""
    low, high = RATES
    if not low <= rate <= high:
        raise AudioError(
            f"{what} has {rate} samples a second; {low} to {high} can be heard: resample it, "
            f"e.g. with `ffmpeg -ar {RATE}`"
        )


def _as_float(samples: np.ndarray) -> np.ndarray:
    """[n] or [n, channels] -> the same as float32, a copy."""
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise AudioError(f"samples of shape {list(samples.shape)} are not understood: give [n] or [n, channels]")
    if samples.dtype == np.int16:
        return samples.astype(np.float32) * np.float32(1 / 32_768)
    if np.issubdtype(samples.dtype, np.floating):
        return samples.astype(np.float32)
    raise AudioError(f"samples of type {samples.dtype} are not understood: give float32 or int16")
