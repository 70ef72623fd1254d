"""How much `mini` gets right, skill by skill, with voices that it never heard.

    python -m training.evaluate voicechat/mini --each 60

Everything goes through the code that answers people: the rolling encoder, the cache, the decoder.
Every question is asked in a quiet room; half of the conversations change between voice and keyboard.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.corpus import said
from training.curriculum import (
    DIGITS,
    MAKERS_OF_LINES,
    NO_QUESTION,
    NOT_UNDERSTOOD,
    NOTHING,
    OTHER_TEST,
    VISITORS,
    Line,
)
from training.sounds import a_sound, in_a_room
from training.typed import as_typed
from training.voices import RATE, Voice, test_voice
from voicechat.conversation import Clip, Message
from voicechat.flamingo import Flamingo
from voicechat.verdict import judge, unmarked
from voicechat.writable import new_file

SKILLS = (
    "sums", "digits", "letters", "visitors", "paused", "unfinished", "listening", "other", "nothing", "typed", "mixed",
)  # fmt: skip
UNHEARD = 1_000_000  # seeds of sounds that training does not use


@dataclass(slots=True)
class Outcome:
    skill: str
    asked: str
    answer: str
    right: bool
    judged: bool | None = None  # whether it was judged rightly if the speaker had finished
    voice: str = ""
    heard: str | None = None  # the transcript, where there is one to take

    @property
    def word_errors(self) -> tuple[int, int]:
        """(edits, words) between what was said and the transcript."""
        said, heard = self.asked.split(), (self.heard or "").split()
        return edits(said, heard), len(said)


def edits(first: list[str], second: list[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def is_right(line: Line, answer: str) -> bool:
    """Sums and digits by what they mean, what is to be waited for or let pass by its mark, the rest by their words."""
    if line.skill in ("unfinished", "listening"):
        return judge(answer) is judge(line.answer)
    answer = unmarked(answer).strip()
    if line.skill == "sums":
        return answer.endswith(line.answer[line.answer.index(" is ") :])
    if line.skill == "digits":
        spoken = re.findall(r"[a-z]+", answer.lower())
        return [w for w in spoken if w in DIGITS] == re.findall("|".join(DIGITS), line.answer)
    if line.skill == "nothing":
        return answer in ("", NO_QUESTION)
    return answer == unmarked(line.answer)


def is_judged(line: Line, answer: str) -> bool:
    """Whether the turn would be taken as it should: at once, later, or not at all."""
    return judge(answer) is judge(line.answer)


def room(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """The question as a microphone hears it: silence around it, a quiet room behind it."""
    noise = np.random.default_rng(rng.randrange(2**32))
    if rng.random() < 0.3:
        samples = in_a_room(samples, noise)
    level = 10 ** rng.uniform(-1.0, 0.0)
    around = np.pad(samples * level, (round(0.3 * RATE), round(0.16 * RATE)))
    return np.asarray(around + noise.standard_normal(len(around)) * 10 ** rng.uniform(-4.5, -3.0), np.float32)


def spoken(line: Line, rng: random.Random, paused: bool = False) -> tuple[Message, Voice]:
    voice = test_voice(rng)
    return Message("user", "", (Clip(room(said(line, voice, rng, float(paused)), rng)),)), voice


def a_test_line(skill: str, rng: random.Random) -> Line:
    if skill == "other":
        return Line("other", rng.choice(OTHER_TEST), NOT_UNDERSTOOD)
    if skill == "visitors":  # every phrasing as it stands
        answer, phrasings = VISITORS[rng.choice(tuple(VISITORS))]
        return Line("visitors", rng.choice(phrasings), answer)
    return MAKERS_OF_LINES[skill](rng)


def outcomes(flamingo: Flamingo, skill: str, each: int, rng: random.Random) -> Iterator[Outcome]:
    for number in range(each):
        memory, messages = flamingo.memory(), []
        if skill == "nothing":
            sound = a_sound(rng.uniform(0.6, 4.0), UNHEARD + number)
            sound = sound * np.float32(10 ** rng.uniform(-2, 0.3))
            answer = replied(memory, [Message("user", "", (Clip(sound),))])
            line = Line(skill, "", NOTHING)
            yield Outcome(skill, "", answer, is_right(line, answer), is_judged(line, answer))
        elif skill == "typed":
            line = a_test_line(rng.choice(("sums", "digits", "visitors")), rng)
            typed = as_typed(line, rng)
            answer = replied(memory, [Message("user", typed)])
            yield Outcome(skill, typed, answer, is_right(line, answer))
        elif skill == "mixed":
            first_spoken, right, asked = rng.random() < 0.5, True, []
            for turn in range(3):
                line = a_test_line(rng.choice(("sums", "digits", "visitors")), rng)
                question = spoken(line, rng)[0] if first_spoken ^ turn % 2 else Message("user", as_typed(line, rng))
                messages.append(question)
                answer = replied(memory, messages)
                messages.append(Message("assistant", unmarked(answer), mark=mark_of(answer)))
                asked.append(line.words)
                right = right and is_right(line, answer)
            yield Outcome(skill, " | ".join(asked), answer, right)
        else:
            line = a_test_line(rng.choice(("sums", "digits", "visitors")) if skill == "paused" else skill, rng)
            question, voice = spoken(line, rng, skill == "paused")
            answer = replied(memory, [question])
            heard = "".join(memory.transcribe(question.clips[0])) if skill != "other" else None
            judged = is_judged(line, answer)
            yield Outcome(skill, line.words, answer, is_right(line, answer), judged, voice.name, heard)


def mark_of(answer: str) -> str:
    verdict = judge(answer)
    return verdict.value if verdict else ""


def replied(memory, messages: list[Message]) -> str:
    return "".join(memory.reply(messages))


def evaluate(folder: Path, each: int, seed: int = 0, show: bool = False) -> dict[str, object]:
    flamingo = Flamingo.load(folder, "cpu", greedy=True)
    table: dict[str, dict[str, float]] = {}
    errors = words = 0
    voices: dict[str, list[bool]] = {}
    for skill in SKILLS:
        done = []
        for outcome in outcomes(flamingo, skill, each, random.Random(f"{seed} {skill}")):
            done.append(outcome)
            if outcome.heard is not None and skill in ("sums", "digits", "visitors"):
                errors, words = errors + outcome.word_errors[0], words + outcome.word_errors[1]
            if outcome.voice:
                voices.setdefault(outcome.voice.split("+")[-1], []).append(outcome.right)
            if show and not outcome.right:
                print(f"  {skill} ({outcome.voice}): {outcome.asked!r} -> {outcome.answer!r} heard {outcome.heard!r}")
            print(f"\r{skill}: {sum(o.right for o in done)} of {len(done)}", end="", flush=True)
        table[skill] = {"right": sum(o.right for o in done) / len(done), "n": len(done)}
        judged = [o.judged for o in done if o.judged is not None]
        if judged:
            table[skill]["judged"] = sum(judged) / len(judged)
        told = f", whether it was over {table[skill]['judged']:6.1%}" if judged else ""
        print(f"\r{skill:<14} {table[skill]['right']:6.1%}{told}  n={len(done)}", flush=True)
    overall = sum(row["right"] for row in table.values()) / len(table)
    print(f"{'all skills':<14} {overall:6.1%}")
    print(f"{'words wrong':<14} {errors / max(1, words):6.1%}  n={words} words (sums, digits, visitors)")
    for voice, right in sorted(voices.items()):
        print(f"  voice {voice:<8} {sum(right) / len(right):6.1%}  n={len(right)}")
    return {"skills": table, "all": overall, "word_error_rate": errors / max(1, words)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--each", type=int, default=60, help="questions a skill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    parser.add_argument("--json", type=new_file, help="also write the table here")
    a = parser.parse_args()
    start = time.monotonic()
    result = evaluate(a.model, a.each, a.seed, a.show)
    print(f"{time.monotonic() - start:.0f} s")
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n")
