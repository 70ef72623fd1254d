"""What is asked: lines of the curriculum, said by voices that `mini` was never trained on."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.curriculum import a_line
from training.voices import test_voice
from voicechat.verdict import unmarked

RATE = 16_000
SKILLS = {"sums": 1.0, "digits": 1.0, "visitors": 0.5}
ROOM = 1e-4  # level of the noise that a quiet room has


@dataclass(frozen=True, slots=True)
class Question:
    words: str
    answer: str  # what `mini` should say
    voice: str
    samples: np.ndarray  # float32 at 16 kHz, no silence around it


def questions(seed: int = 0, skills: dict[str, float] = SKILLS) -> Iterator[Question]:
    """Without end, the same for the same seed. Raises SystemExit where the makers of speech are not installed."""
    for program in ("flite", "espeak-ng"):
        if shutil.which(program) is None:
            raise SystemExit(f"the questions are said by {program}: apt-get install {program}")
    rng = random.Random(seed)
    while True:
        line, voice = a_line(rng, skills), test_voice(rng)
        samples = voice.say(line.said)
        if len(samples) > 0.2 * RATE:
            yield Question(line.words, unmarked(line.answer), f"{voice.maker} {voice.name}", samples)


def room(seconds: float, seed: int = 0) -> np.ndarray:
    """float32 at 16 kHz: a quiet room, which digital silence is not."""
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * ROOM).astype(np.float32)
