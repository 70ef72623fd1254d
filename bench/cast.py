"""Who plays in one run of a scenario, and what they say: voices never trained on, lines of the curriculum."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench import sounds
from training.curriculum import FILLERS, OTHER_TEST, SHOWS_LISTENING, Line, a_line, finished, some_digits, some_letters
from training.sounds import coloured_noise
from training.voices import RATE, Voice, test_voice
from voicechat.verdict import Verdict, judge, unmarked

AUDIBLE, EDGE = 0.02, RATE // 100  # of the peak; samples that are kept around it
LONG = 44  # characters of an answer that takes three seconds and more
SUMS, VISITORS, EITHER = {"sums": 1.0}, {"visitors": 1.0}, {"sums": 0.6, "visitors": 0.4}


@dataclass(frozen=True, slots=True)
class Take:
    """What one cue brings: pieces of sound (float32 at 16 kHz, no silence around them), and the answer it wants."""

    words: str
    pieces: tuple[np.ndarray, ...]
    answer: str | None = None
    verdict: Verdict = Verdict.FINISHED  # on the whole
    between: Verdict = Verdict.UNFINISHED  # and after the pieces before the last


class Cast:
    """The speaker, a bystander and the dice of one run; the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self.dice, self.noise = random.Random(seed), np.random.default_rng(list(seed.encode()))
        self.speaker = test_voice(self.dice)
        self.bystander = test_voice(self.dice)
        while self.bystander.name == self.speaker.name:
            self.bystander = test_voice(self.dice)

    def say(self, text: str, voice: Voice | None = None) -> np.ndarray:
        return speech_of((voice or self.speaker).say(text))


def speech_of(samples: np.ndarray) -> np.ndarray:
    """Where it can be heard. flite's `awb` breathes for 0.2 s before it speaks, 40 dB below its peak."""
    heard = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max(initial=1e-6))
    return samples[max(0, heard[0] - EDGE) : heard[-1] + EDGE] if len(heard) else samples


Make = Callable[[Cast], Take]


def question(skills: dict[str, float], long: bool = False) -> Make:
    """A complete one; `long`: with an answer of three seconds and more."""

    def make(cast: Cast) -> Take:
        while True:
            line = a_line(cast.dice, skills)
            if len(line.answer) >= LONG or not long:
                verdict = judge(line.answer) or Verdict.FINISHED
                return Take(line.words, (cast.say(line.said),), unmarked(line.answer), verdict)

    return make


def halves(filler: bool = False) -> Make:
    """A question with a pause where it cannot end."""

    def make(cast: Cast) -> Take:
        line, cut = _cut(cast.dice)
        words = line.words.split()
        first, second = " ".join(words[:cut]), " ".join(words[cut:])
        if filler:
            first += f" {cast.dice.choice(FILLERS[:4])}"
        return Take(f"{first} | {second}", (cast.say(first + ","), cast.say(second)), unmarked(line.answer))

    return make


def _cut(dice: random.Random) -> tuple[Line, int]:
    while True:
        line = a_line(dice, EITHER)
        words = line.words.split()
        cuts = [n for n in range(2, len(words)) if not finished(words[:n], line)]
        if cuts:
            return line, dice.choice(cuts)


def _groups(make: Callable[[random.Random], Line], cast: Cast) -> tuple[Line, list[str]]:
    while True:
        line = make(cast.dice)
        if "," in line.said:
            return line, [group.strip() for group in line.said.split(",")]


def groups(make: Callable[[random.Random], Line]) -> Make:
    """Digits or letters, said in groups."""

    def said(cast: Cast) -> Take:
        line, parts = _groups(make, cast)
        pieces = [cast.say(part + ",") for part in parts[:-1]] + [cast.say(parts[-1])]
        return Take(" | ".join(parts), tuple(pieces), unmarked(line.answer), Verdict.OPEN, Verdict.OPEN)

    return said


digits, letters = groups(some_digits), groups(some_letters)


def first_digits(cast: Cast) -> Take:
    """The first group of a number: `last_digits` of the same cast says the rest."""
    _, parts = _groups(some_digits, _again(cast))
    return Take(parts[0], (cast.say(parts[0]),), verdict=Verdict.OPEN)


def last_digits(cast: Cast) -> Take:
    line, parts = _groups(some_digits, _again(cast))
    pieces = tuple(map(cast.say, parts[1:]))
    return Take(" | ".join(parts[1:]), pieces, unmarked(line.answer), Verdict.OPEN, Verdict.OPEN)


def _again(cast: Cast) -> Cast:
    """The cast with dice that fall alike each time."""
    same = object.__new__(Cast)
    same.dice = random.Random(cast.speaker.name + str(cast.speaker.pace))
    return same


def says(*phrases: str, verdict: Verdict = Verdict.FINISHED) -> Make:
    def make(cast: Cast) -> Take:
        words = cast.dice.choice(phrases)
        return Take(words, (cast.say(words),), verdict=verdict)

    return make


def listens(*phrases: str) -> Make:
    """Signs of listening; without any, all the others that there are."""
    others = [words for words in SHOWS_LISTENING if words not in ("uh huh", "yeah")]
    return says(*(phrases or others), verdict=Verdict.ASIDE)


def noise(make: Callable[[np.random.Generator], np.ndarray]) -> Make:
    name = getattr(make, "__name__", "noise")
    return lambda cast: Take(f"({name})", (make(cast.noise),), verdict=Verdict.ASIDE)


def music(seconds: float) -> Make:
    return lambda cast: Take("(music)", (sounds.music(seconds, cast.noise),), verdict=Verdict.ASIDE)


def hiss(seconds: float) -> Make:
    """A fan, a street, a stream: noise of a colour between white and brown."""

    def make(cast: Cast) -> Take:
        samples = coloured_noise(seconds, cast.noise.uniform(0.5, 1.8), cast.noise)
        return Take("(noise)", (samples / 0.6,), verdict=Verdict.ASIDE)

    return make


def talk(seconds: float) -> Make:
    """The bystander, to somebody else."""
    return lambda cast: _talk(cast, seconds, cast.bystander, (0.15, 0.5))


def monologue(seconds: float) -> Make:
    """The speaker, who never pauses."""
    return lambda cast: _talk(cast, seconds, cast.speaker, (0.0, 0.06))


def _talk(cast: Cast, seconds: float, voice: Voice, gaps: tuple[float, float]) -> Take:
    said, sound, length = list[str](), list[np.ndarray](), 0
    while length < seconds * RATE:
        said.append(cast.dice.choice(OTHER_TEST))
        gap = np.zeros(round(cast.dice.uniform(*gaps) * RATE), np.float32)
        sound += [cast.say(said[-1], voice), gap]
        length += len(sound[-2]) + len(gap)
    verdict = Verdict.ASIDE if voice is cast.bystander else Verdict.FINISHED
    return Take(" / ".join(said), (np.concatenate(sound)[: round(seconds * RATE)],), verdict=verdict)
