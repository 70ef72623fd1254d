"""The sound formats of the wire: base64 in, bytes out."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import soundfile
import soxr

from streaming.audio import AudioChunk, AudioError

PCM, ULAW, ALAW = "audio/pcm", "audio/pcmu", "audio/pcma"
FULL = 32_768  # int16 of a sample of 1.0
OLD_NAMES = {"pcm16": PCM, "g711_ulaw": ULAW, "g711_alaw": ALAW}  # of the protocol's beta


@dataclass(frozen=True, slots=True)
class Format:
    """`audio/pcm`: 16-bit little-endian mono at 24 kHz; `audio/pcmu`, `audio/pcma`: G.711, a byte a sample at 8 kHz."""

    type: str = PCM

    @classmethod
    def of(cls, wanted: Format | Mapping[str, Any] | str) -> Format:
        """From the protocol's `{"type": "audio/pcm", "rate": 24000}`, or a name. Raises AudioError."""
        if isinstance(wanted, Format):
            return wanted
        given = {"type": wanted} if isinstance(wanted, str) else wanted
        name = given.get("type")
        name = OLD_NAMES.get(str(name), name)
        if name not in (PCM, ULAW, ALAW):
            raise AudioError(f"there is no sound format {name!r}: use audio/pcm, audio/pcmu or audio/pcma")
        found = cls(name)
        if given.get("rate") not in (None, found.rate):
            raise AudioError(f"{name} has {found.rate} samples a second here, not {given['rate']}: resample it first")
        return found

    @property
    def rate(self) -> int:
        return 24_000 if self.type == PCM else 8_000

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return 2 if self.type == PCM else 1

    def seconds(self, n_bytes: int) -> float:
        return n_bytes / (self.width * self.rate)

    def as_json(self) -> dict[str, Any]:
        return {"type": PCM, "rate": 24_000} if self.type == PCM else {"type": self.type}


class Decoder:
    """One incoming stream: base64, cut anywhere -> samples."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self._odd = b""  # half a sample
        self._samples = 0

    def begin(self) -> None:
        """What comes next begins with a whole sample: the half that was left over is dropped."""
        self._odd = b""

    def push(self, text: str) -> AudioChunk:
        """float32 mono [n], n = 0 where not one sample is whole. Raises AudioError; then nothing of it enters."""
        try:
            data = self._odd + base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise AudioError(
                f"this audio is not base64 ({error}): it was dropped, and the stream goes on; send standard base64 "
                f"of {self.format.type}"
            ) from None
        whole = len(data) - len(data) % self.format.width
        self._odd = data[whole:]
        start_s = self._samples / self.format.rate
        self._samples += whole // self.format.width
        return AudioChunk(_decoded(data[:whole], self.format), self.format.rate, start_s)


class Encoder:
    """One outgoing stream: a voice's samples, at its own rate -> the wire's bytes.

    soxr's "LQ" is 1 ms late from 22.05 to 24 kHz. From other rates it works in batches: 11 ms late on average to
    24 kHz (40 at the most), 23 to 8 kHz (61). Its better filters are twice as late, and 23 ms from 22.05 kHz.
    """

    def __init__(self, format: Format) -> None:
        self.format = format
        self._rate = format.rate  # of the voice
        self._stream: Any = None  # None where the voice has the wire's rate

    def push(self, samples: np.ndarray, rate: int) -> bytes:
        """float32 mono [n] at `rate` Hz -> as many bytes as are ready; a voice may change its rate on the way."""
        before = b"" if rate == self._rate else self.flush()
        if rate != self._rate:
            self._rate = rate
            self._stream = (
                None if rate == self.format.rate else soxr.ResampleStream(rate, self.format.rate, 1, quality="LQ")
            )
        samples = samples.astype(np.float32, copy=False)
        if self._stream is not None:
            samples = self._stream.resample_chunk(samples)
        return before + _encoded(samples, self.format)

    def flush(self) -> bytes:
        """What the filter still holds; after it another response may begin."""
        if self._stream is None:
            return b""
        rest = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        return _encoded(rest, self.format)


def _decoded(data: bytes, format: Format) -> np.ndarray:
    if format.type == PCM:
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(FULL)
    return _expansion(format.type)[np.frombuffer(data, np.uint8)]


def _encoded(samples: np.ndarray, format: Format) -> bytes:
    whole: np.ndarray = np.clip(np.rint(samples * FULL), -FULL, FULL - 1).astype(np.int32)
    if format.type == PCM:
        return bytes(whole.astype("<i2"))
    return bytes(_compression(format.type)[whole + FULL])


@cache
def _expansion(law: str) -> np.ndarray:
    """G.711 byte -> float32, [256], as libsndfile has it."""
    raw = io.BytesIO(bytes(range(256)))
    table: np.ndarray
    table, _ = soundfile.read(raw, dtype="float32", format="RAW", subtype=_subtype(law), samplerate=8_000, channels=1)
    return table


@cache
def _compression(law: str) -> np.ndarray:
    """int16 + 32768 -> G.711 byte, [65536], as libsndfile has it."""
    raw = io.BytesIO()
    soundfile.write(raw, np.arange(-FULL, FULL).astype(np.int16), 8_000, format="RAW", subtype=_subtype(law))
    return np.frombuffer(raw.getvalue(), np.uint8)


def _subtype(law: str) -> str:
    return "ULAW" if law == ULAW else "ALAW"
