"""Reading audio files, with an instruction for whatever is wrong with one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile

from streaming import containers
from streaming.audio import AudioChunk, AudioError, MixDown, check_rate
from streaming.wav import WavData

STEP = 131_072  # samples, of all channels together: a file is mixed down in steps of this size
CHANNELS = 64
LIMIT_S = 600.0
NO_FILE = 1 << 48  # frames: what libsndfile says of a FLAC without a length is beyond any file
NO_MEMORY = 17  # libsndfile's SFE_MALLOC_FAILED
FORMATS = "WAV, FLAC, Ogg, MP3, M4A or WebM"


def read_audio(path: str | Path, limit_s: float = LIMIT_S) -> AudioChunk:
    """A WAV, FLAC, Ogg, MP3, M4A/AAC or WebM file, mixed down to mono at its own rate.

    Float samples beyond full scale are scaled down until the peak is 1. Raises AudioError for whatever
    cannot be heard whole: no such file, not audio, no samples, truncated, NaN, longer than `limit_s`;
    a file whose header says that it is too long is refused unread, one that is longer than it says as soon as
    that is seen. (An Ogg, an AAC stream and an MP3 without an index do not say how long they should be: truncated,
    they are heard as far as they go.)
    """
    path = Path(path)
    try:
        with path.open("rb", buffering=0) as file:
            return read_open(cast(BinaryIO, file), str(path), limit_s)
    except FileNotFoundError:
        raise AudioError(f"there is no file {path}: check the name and the folder") from None
    except IsADirectoryError:
        raise AudioError(f"{path} is a folder: name one audio file in it") from None
    except OSError as error:
        raise AudioError(f"{path} cannot be opened ({error.strerror}): check its permissions") from None


def read_open(file: BinaryIO, name: str, limit_s: float = LIMIT_S) -> AudioChunk:
    """The same of a file that is open, and seekable; messages call it `name`."""
    if not file.read(1):
        raise AudioError(f"{name} is empty (0 bytes): record or copy it again")
    reason = None
    with _libsndfile(file, name, limit_s) as source:
        if isinstance(source, _Source):
            return _heard(source, name, limit_s)
        reason = source
    try:
        with containers.opened(file, name) as container:
            promised = None if container.promised_s is None else round(container.promised_s * container.rate)
            slack = round(containers.SLACK_S * container.rate)
            return _heard(_Source(container.rate, promised, slack, container.steps()), name, limit_s)
    except containers.Unreadable as unreadable:
        raise _unreadable(name, reason or str(unreadable)) from None


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that is being decoded."""

    rate: int  # Hz
    promised: int | None  # frames, where its header knows
    slack: int  # frames that may be missing of these
    steps: Iterator[np.ndarray]  # [n, channels]


def _heard(source: _Source, name: str, limit_s: float) -> AudioChunk:
    """All of it, mono, checked while it comes."""
    rate, promised = source.rate, source.promised
    check_rate(rate, name)
    if promised is not None:
        _check_length(name, promised / rate, limit_s)
    mix, peak = MixDown(rate), 0.0
    data = bytearray()  # grows in place: a list of steps would be held twice when it is joined
    for step in source.steps:
        if step.shape[1] > CHANNELS:
            raise AudioError(
                f"{name} has {step.shape[1]} channels; at most {CHANNELS} can be heard: mix it down, "
                "e.g. with `ffmpeg -ac 1`"
            )
        mono = mix.push(step)
        at = len(data) // 4
        if (at + len(mono)) / rate > limit_s:
            raise _too_long(name, f"more than {_length(limit_s)}", limit_s)
        bad = np.flatnonzero(~np.isfinite(mono))
        if bad.size:
            raise AudioError(
                f"{name} holds NaN or infinite samples, the first at {(at + bad[0]) / rate:.3f} s: export it again, "
                "e.g. as 16-bit WAV"
            )
        peak = max(peak, float(np.abs(mono).max(initial=0.0)))
        data += mono.tobytes()
    samples = np.frombuffer(data, np.float32)
    if not len(samples):
        raise AudioError(f"{name} holds no samples: record it again, or give another file")
    if promised is not None and len(samples) < promised - source.slack:
        raise AudioError(
            f"{name} is truncated: its header promises {promised / rate:.2f} s, {len(samples) / rate:.2f} s "
            "are there: copy or record it again"
        )
    if peak > 1:
        samples /= np.float32(peak)
    return AudioChunk(samples, rate, 0.0)


@contextmanager
def _libsndfile(file: BinaryIO, name: str, limit_s: float) -> Iterator[_Source | str | None]:
    """The file, as libsndfile reads it; where it does not, the reason, or None where another may know better."""
    data = WavData.of(file)
    if data and data.cut:
        raise AudioError(
            f"{name} is truncated: its header promises {data.size} bytes of audio, {data.there} are there: "
            "copy or record it again"
        )
    # The descriptor, for the content decides: a file called `.raw` would be taken by its name.
    source: BinaryIO | int = file if isinstance(file, io.BytesIO) else file.fileno()
    if data and data.unsized:
        _check_length(name, data.there / max(1, data.byte_rate), limit_s)
        source = data.with_size(file)
    indexed = _indexed(file)
    file.seek(0)
    is_flac = file.read(4) == b"fLaC"
    file.seek(0)
    try:
        sound = soundfile.SoundFile(source, closefd=False)
    except soundfile.LibsndfileError as error:
        reason = _reason(error)
        if is_flac:
            raise _unreadable(name, reason) from None
        yield reason
        return
    with sound:
        rate, frames = int(sound.samplerate), int(sound.frames)
        # Where libsndfile only guesses a length it stops or fails there: an MP3 without an index, a FLAC whose writer
        # could not go back. In Opus it loses its place, now and then, from one step to the next.
        if (sound.format == "MP3" and not indexed) or frames >= NO_FILE or sound.subtype == "OPUS":
            yield None
            return
        slack = 4 * 1_152 if sound.format == "MP3" else 0  # an index may be a few frames off
        yield _Source(rate, frames, slack, _steps(sound, name))


def _steps(sound: soundfile.SoundFile, name: str) -> Iterator[np.ndarray]:
    size = max(1, STEP // sound.channels)
    try:
        while len(step := sound.read(size, dtype="float32", always_2d=True)):
            yield step
    except soundfile.LibsndfileError as error:
        raise _unreadable(name, _reason(error)) from None


def _indexed(file: BinaryIO) -> bool:
    """Whether an MP3 says how many frames it has: in its first one, behind the tags."""
    file.seek(0)
    head = file.read(10)
    tags = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tags = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(tags)
    first = file.read(200)
    for mark in (b"Xing", b"Info"):
        at = first.find(mark)
        if at >= 0:
            return bool(first[at + 7 : at + 8] and first[at + 7] & 1)
    return False


def _reason(error: soundfile.LibsndfileError) -> str:
    if error.code == NO_MEMORY:
        raise MemoryError from None
    return str(error.error_string).strip().rstrip(".")


def _unreadable(name: str, reason: str) -> AudioError:
    return AudioError(
        f"{name} cannot be read as audio ({reason}): give a {FORMATS} file, or convert it, "
        f"e.g. with `ffmpeg -i {Path(name).name} sound.wav`"
    )


def _check_length(name: str, seconds: float, limit_s: float) -> None:
    if seconds > limit_s:
        raise _too_long(name, _length(seconds), limit_s)


def _too_long(name: str, holds: str, limit_s: float) -> AudioError:
    return AudioError(
        f"{name} holds {holds}; at most {_length(limit_s)} can be heard: cut it, "
        f"e.g. with `ffmpeg -t {limit_s:.0f} -i {Path(name).name} short.wav`"
    )


def _length(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"
