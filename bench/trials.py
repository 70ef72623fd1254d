"""Questions for two speaking servers side by side, some with a pause where the sentence cannot end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.caller import LEVEL
from bench.questions import RATE, Question, questions, room
from training.curriculum import GOING_ON, OPERATORS, Line, a_line, finished
from training.voices import Voice, test_voice
from voicechat.verdict import unmarked

LEAD_S = 0.5  # of quiet before the question
SILENT = 0.01  # of the peak of what is said
COMMA_S = 0.1  # of silence, at least, where the voice makes the pause of a comma
MARGIN = round(0.02 * RATE)  # samples of that silence that stay on either side
PAUSED = {"sums": 0.6, "visitors": 0.25, "digits": 0.15}


@dataclass(frozen=True, slots=True)
class Trial:
    """One question as it is said: float32 at 16 kHz, no silence around it."""

    question: Question
    pause_s: float = 0.0  # in the middle, where it cannot end

    def heard(self) -> np.ndarray:
        """What a microphone hears of it, and of the room before and behind it."""
        samples = self.question.samples
        return np.concatenate((room(LEAD_S), LEVEL * samples + room(len(samples) / RATE, 1)))


def plain(seed: int) -> Iterator[Trial]:
    """Questions without a pause, without end."""
    yield from map(Trial, questions(seed))


def paused(seed: int, pause_s: float) -> Iterator[Trial]:
    """Questions whose speaker stops to think in the middle of the sentence, without end."""
    rng = random.Random(f"{seed} {pause_s}")
    while True:
        line, voice = a_line(rng, PAUSED), test_voice(rng)
        words = line.said.split()
        cuts = [n for n in range(2, len(words)) if goes_on(words[:n], line)]
        if not cuts or "," in line.said:
            continue
        cut = rng.choice(cuts)
        samples = with_pause(voice, " ".join(words[:cut]), " ".join(words[cut:]), pause_s)
        if samples is None:
            continue
        shown = f"{' '.join(words[:cut])} [{pause_s:g} s] {' '.join(words[cut:])}"
        asked = Question(shown, unmarked(line.answer), f"{voice.maker} {voice.name}", samples)
        yield Trial(asked, pause_s)


def goes_on(words: list[str], line: Line) -> bool:
    """Whether nobody would take the sentence for finished here."""
    last = {phrase.split()[-1] for phrases in OPERATORS.values() for phrase in phrases}
    return words[-1] in GOING_ON | last and not finished(words, line)


def with_pause(voice: Voice, first: str, second: str, pause_s: float) -> np.ndarray | None:
    """The sentence said as one, its comma's pause made that long; None where the voice makes none."""
    samples = voice.say(f"{first}, {second}")
    start, end = longest_silence(samples)
    if end - start < COMMA_S * RATE:
        return None
    gap = np.zeros(round(pause_s * RATE) - 2 * MARGIN, np.float32)
    return np.concatenate((samples[: start + MARGIN], gap, samples[end - MARGIN :]))


def longest_silence(samples: np.ndarray) -> tuple[int, int]:
    """(first, last + 1) sample of the longest stretch in which nothing is loud."""
    loud = np.flatnonzero(np.abs(samples) > SILENT * np.abs(samples).max())
    at = int(np.argmax(np.diff(loud)))
    return int(loud[at]) + 1, int(loud[at + 1])
