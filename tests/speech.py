"""Test speech, from the makers that Debian has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from streaming.audio import RATE, AudioChunk, chunks

SENTENCE = "What is the weather like in the mountains today?"
VOICES = ("slt", "rms", "en-us", "en-gb+f2")


@cache
def say(text: str = SENTENCE, voice: str = "slt") -> np.ndarray:
    """float32 at 16 kHz, peak at 1, silence at both ends removed; by a flite or an espeak-ng voice."""
    maker = "espeak-ng" if "-" in voice else "flite"
    if shutil.which(maker) is None:
        pytest.skip(f"no {maker}: apt-get install {maker}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        options = ["-v", voice, "-w", path, text] if maker == "espeak-ng" else ["-voice", voice, "-t", text, "-o", path]
        subprocess.run([maker, *map(str, options)], check=True)
        samples, rate = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate, RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return np.asarray(samples / np.abs(samples).max(), np.float32)


@dataclass(frozen=True)
class Placed:
    samples: np.ndarray
    onset_s: float
    end_s: float


def in_silence(
    speech: np.ndarray, peak_db: float = -6.0, lead_s: float = 0.5, tail_s: float = 1.0, noise_db: float = -80.0
) -> Placed:
    """The speech at a level, in a quiet room, with where it begins and ends."""
    lead, tail = round(lead_s * RATE), round(tail_s * RATE)
    room = np.random.default_rng(0).standard_normal(lead + len(speech) + tail) * 10 ** (noise_db / 20)
    room[lead : lead + len(speech)] += speech * 10 ** (peak_db / 20)
    return Placed(room.astype(np.float32), lead / RATE, (lead + len(speech)) / RATE)


def silence(seconds: float) -> np.ndarray:
    """A quiet room, which digital silence is not."""
    return (np.random.default_rng(0).standard_normal(round(seconds * RATE)) * 1e-4).astype(np.float32)


async def microphone(*pieces: np.ndarray | float, rate: int = RATE) -> AsyncIterator[AudioChunk]:
    """Sound and pauses (seconds), in chunks of 20 ms, as fast as they are taken."""
    sound = np.concatenate([silence(p) if isinstance(p, float | int) else p for p in pieces])
    for chunk in chunks(AudioChunk(sound, rate, 0.0)):
        yield chunk


def kinds(events: Sequence[object]) -> list[str]:
    return [type(event).__name__ for event in events]
