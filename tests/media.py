"""Recordings as phones and browsers make them, written by the FFmpeg that comes with PyAV."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

KINDS: dict[str, tuple[str, str, dict[str, str]]] = {  # container, codec, options of the container
    "phone.m4a": ("ipod", "aac", {}),
    "faststart.m4a": ("ipod", "aac", {"movflags": "faststart"}),
    "fragments.mp4": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "lossless.m4a": ("ipod", "alac", {}),
    "phone.3gp": ("3gp", "aac", {}),
    "radio.aac": ("adts", "aac", {}),
    "browser.webm": ("webm", "libopus", {}),
    "live.webm": ("webm", "libopus", {"live": "1"}),
    "browser.ogg": ("ogg", "libopus", {}),
    "index.mp3": ("mp3", "libmp3lame", {}),
    "noindex.mp3": ("mp3", "libmp3lame", {"write_xing": "0"}),
    "plain.mka": ("matroska", "pcm_s16le", {}),
    "apple.caf": ("caf", "alac", {}),
    "film.ac3": ("ac3", "ac3", {}),
}


def encoded(path: Path, samples: np.ndarray, rate: int = 48_000, kind: str | None = None,
            codec: dict[str, str] | None = None, video: bool = False) -> Path:  # fmt: skip
    """float32 [n] or [n, 2] at `rate` Hz -> a file of that kind (its name, unless given); `codec` are its options."""
    container, name, options = KINDS[kind or path.name]
    channels = samples.reshape(len(samples), -1).T
    layout = {1: "mono", 2: "stereo"}[len(channels)]
    with av.open(str(path), "w", format=container, options=dict(options)) as file:
        pictures = file.add_stream("libx264", rate=25) if video else None
        stream = file.add_stream(name, rate=rate, layout=layout, options=codec or {})
        if pictures is not None:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
            for _ in range(25 * len(samples) // rate):
                file.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
            file.mux(pictures.encode(None))
        converter = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        for at in range(0, len(samples), 1_920):
            part = np.ascontiguousarray(channels[:, at : at + 1_920])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate = rate
            for converted in converter.resample(frame):
                file.mux(stream.encode(converted))
        file.mux(stream.encode(None))
    return path
