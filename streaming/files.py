"""Reading audio files, with an instruction for whatever is wrong with one."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from streaming.audio import AudioChunk, AudioError, check_rate, mixed_down

READ_FRAMES = 65_536  # a file is mixed down in steps of this many frames


def read_audio(path: str | Path, limit_s: float = 600.0) -> AudioChunk:
    """A WAV, FLAC, Ogg or MP3 file, mixed down to mono at its own rate.

    Float samples beyond full scale are scaled down until the peak is 1. Raises AudioError for whatever
    cannot be heard whole: no such file, not audio, no samples, truncated, NaN, longer than `limit_s`;
    a file that is too long is refused from its header, unread. (An Ogg file does not say how long it
    should be: a truncated one is heard as far as it goes.)
    """
    path = Path(path)
    try:
        with path.open("rb", buffering=0) as file:
            if not file.read(1):
                raise AudioError(f"{path} is empty (0 bytes): record or copy it again")
            samples, rate = _decode(path, file, limit_s)
    except FileNotFoundError:
        raise AudioError(f"there is no file {path}: check the name and the folder") from None
    except IsADirectoryError:
        raise AudioError(f"{path} is a folder: name one audio file in it") from None
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        raise AudioError(
            f"{path} cannot be read as audio ({reason}): give a WAV, FLAC, Ogg or MP3 file, or convert it, "
            f"e.g. with `ffmpeg -i {path.name} sound.wav`"
        ) from None
    except OSError as error:
        raise AudioError(f"{path} cannot be opened ({error.strerror}): check its permissions") from None
    bad = np.flatnonzero(~np.isfinite(samples))
    if bad.size:
        raise AudioError(
            f"{path} holds NaN or infinite samples, the first at {bad[0] / rate:.3f} s: export it again, "
            "e.g. as 16-bit WAV"
        )
    peak = float(np.abs(samples).max())
    return AudioChunk(samples / np.float32(peak) if peak > 1 else samples, rate, 0.0)


def _decode(path: Path, file: io.FileIO, limit_s: float) -> tuple[np.ndarray, int]:
    data = _wav_data(file)
    if data and data.cut:
        raise AudioError(
            f"{path} is truncated: its header promises {data.size} bytes of audio, {data.there} are there: "
            "copy or record it again"
        )
    file.seek(0)
    # The descriptor, for the content decides: a file called `.raw` would be taken by its name.
    source: io.BytesIO | int = file.fileno()
    if data and data.streamed and data.size == 0:
        _check_length(path, data.there / max(1, data.byte_rate), limit_s)
        source = _with_size(file, data)  # libsndfile takes the 0 by its word
    with soundfile.SoundFile(source, closefd=False) as sound:
        rate, frames = int(sound.samplerate), int(sound.frames)
        check_rate(rate, str(path))
        _check_length(path, frames / rate, limit_s)
        steps = []
        while len(step := sound.read(READ_FRAMES, dtype="float32", always_2d=True)):
            steps.append(mixed_down(step))
    samples = np.concatenate(steps) if steps else np.zeros(0, np.float32)
    if not len(samples):
        raise AudioError(f"{path} holds no samples: record it again, or give another file")
    if len(samples) < frames:
        raise AudioError(
            f"{path} is truncated: its header promises {frames / rate:.2f} s, {len(samples) / rate:.2f} s "
            "are there: copy or record it again"
        )
    return samples, rate


@dataclass(frozen=True, slots=True)
class _WavData:
    """The data chunk of a WAV file: where it begins, the bytes it promises, the bytes that are there."""

    offset: int
    size: int
    there: int
    byte_rate: int
    riff_size: int

    @property
    def streamed(self) -> bool:
        """Written by a program that could not go back to fill in the size: 0, or a number beyond any file."""
        true_riff_size = self.offset + self.there - 8
        return self.size >= 0x7FFF0000 or (self.size == 0 and self.riff_size != true_riff_size)

    @property
    def cut(self) -> bool:
        return not self.streamed and self.size > self.there


def _wav_data(file: io.FileIO) -> _WavData | None:
    """Walks the RIFF chunks up to `data`; None where the file is not a WAV or ends before it."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    byte_rate = 0
    while len(chunk := file.read(8)) == 8:
        name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        at = file.tell()
        if name == b"data":
            return _WavData(at, size, end - at, byte_rate, struct.unpack("<I", head[4:8])[0])
        if name == b"fmt ":
            byte_rate = struct.unpack("<I", file.read(12)[8:].ljust(4, b"\0"))[0]
        file.seek(at + size + size % 2)
    return None


def _with_size(file: io.FileIO, data: _WavData) -> io.BytesIO:
    """A copy of a streamed WAV whose header tells the truth."""
    file.seek(0)
    whole = io.BytesIO(file.read())
    whole.seek(data.offset - 4)
    whole.write(struct.pack("<I", data.there))
    whole.seek(4)
    whole.write(struct.pack("<I", data.offset + data.there - 8))
    whole.seek(0)
    return whole


def _check_length(path: Path, seconds: float, limit_s: float) -> None:
    if seconds > limit_s:
        raise AudioError(
            f"{path} holds {_length(seconds)}; at most {_length(limit_s)} can be heard: cut it, "
            f"e.g. with `ffmpeg -t {limit_s:.0f} -i {path.name} short.wav`"
        )


def _length(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"
