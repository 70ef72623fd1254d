"""What libsndfile cannot read, through FFmpeg: M4A/AAC from phones, WebM/Opus from browsers, and the like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
import numpy as np
from av.error import FFmpegError

from streaming.audio import AudioError

# Sound, and videos from phones. None of these opens another file or an address, as playlists do.
CONTAINERS = "mov matroska ogg mp3 aac flac wav w64 aiff au caf amr asf ac3 eac3".split()
CODECS = (
    "aac aac_latm alac opus libopus vorbis speex mp3 mp3float mp2 mp2float mp1 mp1float flac ac3 eac3 amrnb amrwb "
    "libopencore_amrnb libopencore_amrwb wmav1 wmav2 wmapro wmalossless wavpack adpcm_ms adpcm_ima_wav adpcm_ima_qt "
    "gsm gsm_ms pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be "
    "pcm_f64le pcm_f64be pcm_alaw pcm_mulaw"
).split()
OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "codec_whitelist": ",".join(CODECS),
    "protocol_whitelist": "none",
}
EXACT = ("mov", "matroska")  # their headers know how long the sound is
SLACK_S = 0.5  # that an encoder may add or take away at the ends
DAMAGED = 0.05  # of the packets: more that cannot be decoded, and the file is broken


class Unreadable(Exception):
    """Not what FFmpeg can read; the message is the reason."""


class Container:
    """An open file's first sound track."""

    def __init__(self, container: av.container.InputContainer, name: str) -> None:
        if not container.streams.audio:
            raise AudioError(f"{name} holds no sound: give a recording, or a video that has a sound track")
        self._container, self._name = container, name
        self._stream = container.streams.audio[0]
        if self._stream.codec_context is None:
            raise Unreadable("its sound is coded in a way that is not known")
        self._stream.codec_context.thread_count = 1
        self._packets = self._broken = 0
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        if self._first is None:
            raise Unreadable("nothing in it can be decoded")
        self.rate = self._first.sample_rate
        self.promised_s = self._length()

    def steps(self) -> Iterator[np.ndarray]:
        """What there is, float32 [n, channels]. Raises AudioError where too much cannot be decoded."""
        frame: av.AudioFrame | None = self._first
        while frame is not None:
            if frame.sample_rate != self.rate:
                raise AudioError(
                    f"{self._name} changes from {self.rate} to {frame.sample_rate} samples a second: convert it, "
                    "e.g. to 16-bit WAV"
                )
            yield _as_float(frame)
            frame = next(self._frames, None)
        if self._broken > max(1, DAMAGED * self._packets):
            raise AudioError(
                f"{self._name} is damaged, {self._broken} of {self._packets} parts cannot be decoded: "
                "copy or record it again"
            )

    def _decoded(self) -> Iterator[av.AudioFrame]:
        for packet in self._container.demux(self._stream):
            self._packets += 1
            try:
                yield from packet.decode()
            except MemoryError:
                raise
            except FFmpegError:  # the end of a file that was cut, or a bit that fell over
                self._broken += 1

    def _length(self) -> float | None:
        """Seconds of sound that the header promises, where it does."""
        kind = self._container.format.name.split(",")[0]
        stream = self._stream
        if kind not in EXACT:
            return None
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        alone = len(self._container.streams) == 1
        return self._container.duration / av.time_base if alone and self._container.duration else None


@contextmanager
def opened(file: BinaryIO, name: str) -> Iterator[Container]:
    """Raises Unreadable for what FFmpeg cannot read; AudioError where there is no sound in it."""
    file.seek(0)
    try:
        with av.open(file, mode="r", options=dict(OPTIONS), metadata_errors="replace") as container:
            yield Container(container, name)
    except MemoryError:  # FFmpeg's is an FFmpegError too
        raise
    except FFmpegError as error:
        raise Unreadable(error.strerror or "not known") from None


def _as_float(frame: av.AudioFrame) -> np.ndarray:
    """A decoded frame as float32 [n, channels]."""
    samples = frame.to_ndarray()
    by_frame = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if np.issubdtype(samples.dtype, np.floating):
        return by_frame.astype(np.float32)
    middle, full = (128, 128) if samples.dtype == np.uint8 else (0, 1 << 8 * samples.dtype.itemsize - 1)
    return ((by_frame.astype(np.float64) - middle) / full).astype(np.float32)
