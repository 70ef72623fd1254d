"""The corpus on disk: utterances as raw log-mel, in shards, made on all cores.

    python -m training.corpus RUN --shards 48              (a shard holds 1,000 utterances)
    python -m training.corpus RUN --first 48 --shards 24   others, for a model that has learned from those

Shards are numbered and seeded by their number: what exists is kept, so the command resumes.
"""

from __future__ import annotations

import argparse
import os
import random
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from streaming.mel import FRAME, log_mel
from training.curriculum import Line, a_line, in_two_parts
from training.sounds import a_sound, in_a_room
from training.voices import RATE, Voice, training_voice
from voicechat.writable import new_folder

SIZE = 1_000
SKILLS = {
    "sums": 0.21, "digits": 0.2, "visitors": 0.17, "other": 0.12,
    "unfinished": 0.21, "listening": 0.05, "letters": 0.04,
}  # fmt: skip
PAUSED = 0.3  # of the lines that can be: said with a pause to think
TWICE = 0.1  # of the questions: asked behind something else, which is to be let go
BEFORE = {"sums": 0.45, "visitors": 0.25, "unfinished": 0.2, "listening": 0.1}  # what that is
SOUNDS = 400  # sounds without speech, for noise behind speech and for the "nothing" skill


@dataclass(slots=True)
class Utterance:
    line: Line
    mel: torch.Tensor  # [frames, 128] float16, raw log10 power


def mel_of(samples: np.ndarray) -> torch.Tensor:
    """[frames, 128] float16: enough for training, half the memory."""
    return log_mel(torch.from_numpy(np.pad(samples, FRAME // 2))).T.half().contiguous()


def said(line: Line, voice: Voice, rng: random.Random, paused: float = PAUSED) -> np.ndarray:
    """The line as a voice says it; now and then with a pause in it."""
    parts = in_two_parts(line, rng) if rng.random() < paused else None
    if parts is None or line.skill in ("unfinished", "listening"):
        return voice.say(line.said)
    gap = np.zeros(round(rng.uniform(0.25, 1.6) * RATE), np.float32)
    return np.concatenate([voice.say(parts[0]), gap, voice.say(parts[1])])


def behind_another(line: Line, voice: Voice, rng: random.Random) -> tuple[Line, np.ndarray]:
    """Who asks again before there is an answer means the last question."""
    first = a_line(rng, BEFORE)
    gap = np.zeros(round(rng.uniform(0.1, 1.2) * RATE), np.float32)
    samples = np.concatenate([voice.say(first.said), gap, voice.say(line.said)])
    return Line(line.skill, f"{first.said}, {line.said}", line.answer), samples


def make_shard(path: Path, number: int) -> Path:
    rng = random.Random(number)
    rooms = np.random.default_rng(number)
    lines, mels = [], []
    while len(lines) < SIZE:
        line, voice = a_line(rng, SKILLS), training_voice(rng)
        if line.skill in ("sums", "visitors") and rng.random() < TWICE:
            line, samples = behind_another(line, voice, rng)
        else:
            samples = said(line, voice, rng)
        if len(samples) < 2_000:
            continue  # a voice that choked on its settings
        if rng.random() < 0.4:
            samples = in_a_room(samples, rooms)
        lines.append((line.skill, line.said, line.answer))
        mels.append(mel_of(samples))
    return _save(path, {"lines": lines, "frames": [len(m) for m in mels], "mel": torch.cat(mels)})


def make_sounds(path: Path) -> Path:
    mels = [mel_of(a_sound(6.0, seed)) for seed in range(SOUNDS)]
    return _save(path, {"frames": [len(m) for m in mels], "mel": torch.cat(mels)})


def _save(path: Path, what: dict[str, object]) -> Path:
    torch.save(what, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)
    return path


def read_shard(path: Path) -> list[Utterance]:
    data = torch.load(path)
    mels = data["mel"].split(data["frames"])
    return [Utterance(Line(*line), mel) for line, mel in zip(data["lines"], mels, strict=True)]


def read_sounds(path: Path) -> list[torch.Tensor]:
    data = torch.load(path)
    return list(data["mel"].split(data["frames"]))


def _one_thread() -> None:
    torch.set_num_threads(1)


def make(folder: Path, shards: int, workers: int, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        jobs = []
        if not (folder / "sounds.pt").exists():
            jobs.append(pool.submit(make_sounds, folder / "sounds.pt"))
        for number in range(first, first + shards):
            path = folder / f"speech-{number:04}.pt"
            if not path.exists():
                jobs.append(pool.submit(make_shard, path, number))
        for done, job in enumerate(as_completed(jobs), 1):
            print(f"corpus: {job.result().name} ({done} of {len(jobs)})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=new_folder)
    parser.add_argument("--shards", type=int, default=48)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    make(arguments.run / "corpus", arguments.shards, arguments.workers, arguments.first)
