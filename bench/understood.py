"""How many words a listener gets wrong of each voice: answers of every day, written down by Whisper base.

    python -m bench.understood --voice piper:joe --voice espeak
    python -m bench.understood --demo out/answer.wav out/events.jsonl

A voice speaks each answer in the pieces in which a conversation hands it over. With --demo the answer that a
conversation has left is checked instead: exit code 0 where it is understood word for word.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.progress import track

from bench import report
from bench.listener import ListenerError, listener, version
from bench.wording import interval, percent, words, wrong
from tts.text import Splitter
from tts.voice import Voice, VoiceError
from voicechat.events import TurnEnded, from_json
from voicechat.voices import load_for_operator
from voicechat.writable import new_folder

ANSWERS = Path(__file__).parent / "answers.txt"
WORST = 10


@dataclass(frozen=True, slots=True)
class Answer:
    written: str
    """As a model writes it."""
    aloud: str
    """As a person reads it: numbers, signs and abbreviations in words."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """An answer that was spoken, and what came of it; `wrong` of `words` words."""

    said: str
    heard: str
    wrong: int
    words: int


def answers() -> list[Answer]:
    lines = [line for line in ANSWERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [Answer(written, aloud or written) for written, _, aloud in (line.partition(" | ") for line in lines)]


def speech(voice: Voice, text: str) -> np.ndarray:
    """float32 mono at the voice's rate: the text as a conversation speaks it, piece by piece."""
    splitter = Splitter()
    pieces = [*splitter.push(text), *splitter.flush()]
    return np.concatenate([chunk.samples for piece in pieces for chunk in voice.say(piece)])


def compared(said: str, heard: str) -> Sentence:
    return Sentence(said, heard, wrong(words(said), words(heard)), len(words(said)))


def listened(voice: Voice, chosen: Sequence[Answer], heard: Callable[[Path], str], folder: Path) -> Iterator[Sentence]:
    for answer in chosen:
        wav = folder / "answer.wav"
        soundfile.write(wav, speech(voice, answer.written), voice.rate)
        yield compared(answer.aloud, heard(wav))


def figures(name: str, found: Sequence[Sentence]) -> dict[str, Any]:
    counts = [(sentence.wrong, sentence.words) for sentence in found]
    return {
        "voice": name,
        "sentences": len(found),
        "words": sum(sentence.words for sentence in found),
        "wrong_percent": round(percent(counts), 2),
        "interval_95": [round(end, 2) for end in interval(counts)],
        "sentences_with_errors": [asdict(sentence) for sentence in worst(found)],
    }


def worst(found: Sequence[Sentence]) -> list[Sentence]:
    """Those with a word that is wrong, most of their words first."""
    return sorted((s for s in found if s.wrong), key=lambda s: (-s.wrong / s.words, -s.wrong))


def show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{result['listener']}; {report.machine_line(machine)}; {machine['date']}, {machine['commit']}")
    rows = [
        (voice["voice"], voice["sentences"], voice["words"], f"{voice['wrong_percent']:.1f}%",
         "{:.1f} to {:.1f}%".format(*voice["interval_95"]), len(voice["sentences_with_errors"]))
        for voice in result["voices"]
    ]  # fmt: skip
    print(report.table(("voice", "sentences", "words", "wrong", "95% interval", "sentences with errors"), rows))
    for voice in result["voices"]:
        print(f"\nworst of {voice['voice']}:")
        for sentence in voice["sentences_with_errors"][:WORST]:
            print(f"  {sentence['wrong']} of {sentence['words']}  {sentence['said']}\n     heard  {sentence['heard']}")


def spoken_voices(names: Sequence[str], n: int) -> int:
    voices = [load_for_operator(name) for name in names]
    chosen, found = answers()[:n], []
    machine, console = report.machine(), Console(stderr=True)
    with TemporaryDirectory() as folder, listener() as heard:
        for voice in voices:
            heard_of = listened(voice, chosen, heard, Path(folder))
            told = track(heard_of, voice.name, len(chosen), console=console, disable=not console.is_terminal)
            found.append(figures(voice.name, list(told)))
    result = {"machine": machine, "listener": version(), "voices": found}
    show(result)
    if n >= len(answers()):  # a part of the sentences replaces no result
        print(f"\nwritten to {report.write(new_folder(report.RESULTS) / 'understood.json', result)}")
    return 0


def last_answer(events: Path) -> str:
    """The last answer in a log of `run_local.py --events`, which grows. Raises ListenerError where there is none."""
    try:
        told = [from_json(json.loads(line)) for line in events.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ListenerError(f"{events} cannot be read ({report.one_line(error)}); make one with: make demo") from None
    ended = [event.text for event in told if isinstance(event, TurnEnded) and words(event.text)]
    if not ended:
        raise ListenerError(f"{events} has no answer in it; make one with: make demo")
    return ended[-1]


def demo(wav: Path, events: Path) -> int:
    """0 where the answer is understood word for word, else 1."""
    said = last_answer(events)
    if not wav.is_file():
        raise ListenerError(f"{wav} is not there; make it with: make demo")
    with listener() as heard:
        sentence = compared(said, heard(wav))
    print(f"said   {sentence.said}\nheard  {sentence.heard}")
    print(f"{sentence.wrong} of {sentence.words} words wrong" if sentence.wrong else "understood word for word")
    return int(sentence.wrong > 0)


def main(arguments: list[str] | None = None) -> int:
    doing = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m bench.understood", description=doing, allow_abbrev=False)
    parser.add_argument("--voice", action="append", default=[], metavar="V", help="piper:joe and espeak, unless given")
    parser.add_argument("--n", type=int, default=len(answers()), help="how many answers, from the first on")
    parser.add_argument("--demo", nargs=2, type=Path, metavar=("WAV", "EVENTS"), help="check this answer instead")
    options = parser.parse_args(arguments)
    if options.n < 1:
        parser.error("nothing is measured: give --n 1 or more")
    if options.demo and options.voice:
        parser.error("--demo checks the voice that the conversation had: leave --voice out")
    try:
        if options.demo:
            return demo(*options.demo)
        return spoken_voices(options.voice or ["piper:joe", "espeak"], options.n)
    except (VoiceError, ListenerError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
