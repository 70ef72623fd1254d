"""espeak-ng in this process: speech in milliseconds, with no model to fetch.

A piece is made clause by clause: a clause takes the engine a few milliseconds, is made whole under the
engine's lock and handed over after it. So a slow listener holds up no other session's voice.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from tts.engine import RATE, Setting, engine, synthesize
from tts.loudness import MEASURED, gain, limited
from tts.spoken import Unit, spoken
from tts.text import Splitter
from tts.voice import SpeechChunk, VoiceError, unknown_voice
from tts.words import SENTENCE_MARKS, closing_mark, unstopped

WORDS_A_MINUTE = 165  # the usual speed
_CHUNK = RATE * 40 // 1000
_CLAUSE_PAUSE = RATE * 120 // 1000
_SENTENCE_PAUSE = RATE * 250 // 1000
_SILENCE = 4 / 32768
_MARGIN = RATE * 4 // 1000  # of silence kept around speech
_ENDLESS = re.compile(r"\S{60,}")


def espeak_voices() -> list[str]:
    """The languages of the engine; each also takes a variant, as in `en-gb+f2`. Raises VoiceError."""
    return sorted(engine().languages)


class Espeak:
    """An espeak-ng voice, `language` or `language+variant`; safe to use from many threads.

    `speed` in words a minute, 80 to 450; `pitch` 0 to 99, 50 being the voice's own.
    Raises VoiceError when the voice does not exist or the engine cannot be loaded.
    """

    rate = RATE

    def __init__(self, variety: str = "en-us", speed: int = WORDS_A_MINUTE, pitch: int = 50) -> None:
        if not 80 <= speed <= 450 or not 0 <= pitch <= 99:
            raise VoiceError(f"espeak cannot speak at speed {speed}, pitch {pitch}: take 80..450 and 0..99")
        language, plus, variant = variety.partition("+")
        known = engine()
        file = known.languages.get(language.lower().replace("_", "-"))
        if file is None:
            raise unknown_voice(f"espeak:{variety}", [f"espeak:{name}" for name in sorted(known.languages)])
        if plus and variant not in known.variants:
            near = [f"espeak:{language}+{name}" for name in sorted(known.variants)]
            raise unknown_voice(f"espeak:{variety}", near)
        self.name = f"espeak:{variety}"
        self.language = language.lower()
        self._setting = Setting(file + plus + variant, speed, pitch)

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. A clause with nothing to pronounce gives one chunk without samples."""
        for units in _clauses(spoken(text, self.language)):
            yield from self._speak(units)

    def _speak(self, units: list[Unit]) -> Iterator[SpeechChunk]:
        clause = "".join(unit.written for unit in units)
        sound = "".join(unit.spoken for unit in units)
        if not any(char.isalnum() or unicodedata.category(char) in ("Sc", "Sm", "So") for char in sound):
            yield SpeechChunk(np.zeros(0, np.float32), RATE, clause)
            return
        mark = closing_mark(clause)
        # Cut where there is no mark: the comma keeps the voice from falling as at the end of a sentence.
        going_on = "," if not mark and clause[-1].isspace() else ""
        samples, words = synthesize(self._setting, _ENDLESS.sub(_broken, unstopped(sound)) + going_on)
        samples = limited(samples * _gain(self._setting))
        first, last = _extent(samples)
        pause = _pause(mark) if last else 0
        speech = np.concatenate((samples[first:last], np.zeros(pause, np.float32)))

        starts = _starts(units, [(at - first, position) for at, position in words])
        starts.append((last - first, len(clause)))
        starts.sort(key=lambda start: start[0])
        times = [at for at, _ in starts]
        told = 0
        edges = [*range(0, len(speech), _CHUNK), len(speech)] if len(speech) else [0, 0]
        for begin, end in pairwise(edges):
            reached = bisect_right(times, end)
            until = len(clause) if end == len(speech) else max((at for _, at in starts[:reached]), default=0)
            until = max(told, until)
            yield SpeechChunk(speech[begin:end], RATE, clause[told:until])
            told = until


@lru_cache
def _gain(setting: Setting) -> np.float32:
    """What makes this voice as loud as the others (some ms, once)."""
    return np.float32(gain(synthesize(setting, MEASURED)[0], RATE))


def _broken(endless: re.Match[str]) -> str:
    """An endless word with spaces for its marks: the engine aborts the process on a long enough "A.A.A."."""
    spaced = "".join(char if char.isalnum() else " " for char in endless.group())
    return re.sub(r"(\S{60})\S", r"\1 ", spaced)


def _extent(samples: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Where speech begins and ends; (0, 0) when all is silent."""
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    if not len(loud):
        return 0, 0
    return max(0, int(loud[0]) - _MARGIN), min(len(samples), int(loud[-1]) + 1 + _MARGIN)


def _pause(mark: str) -> int:
    """Samples of silence after a clause. The engine's own: 180 and 330 ms, and none at the end of a text."""
    if not mark:
        return 0
    return _SENTENCE_PAUSE if mark in SENTENCE_MARKS + "\n" else _CLAUSE_PAUSE


def _clauses(units: list[Unit]) -> Iterator[list[Unit]]:
    """The units of each clause; a cut inside of a unit is none."""
    splitter = Splitter(clause_words=1, marks_only=True)
    clauses = [*splitter.push("".join(unit.written for unit in units)), *splitter.flush()]
    cuts = set(accumulate(map(len, clauses)))
    clause: list[Unit] = []
    at = 0
    for unit in units:
        clause.append(unit)
        at += len(unit.written)
        if at in cuts:
            yield clause
            clause = []


def _starts(units: list[Unit], words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """When, and where in the written clause, each unit starts; `words` has its sound's words, as the engine tells them.

    The engine also reports words inside of a unit: "one thousand" for "1,000". Marks before the first word are
    told with it.
    """
    written = list(accumulate((len(unit.written) for unit in units), initial=0))
    heard = list(accumulate((len(unit.spoken) for unit in units), initial=0))
    loud = next((index for index, unit in enumerate(units) if any(map(str.isalnum, unit.spoken))), len(units))
    found = [(at, min(len(units) - 1, bisect_right(heard, max(position, 0)) - 1)) for at, position in words]
    return [(at, written[index]) for at, index in found if index > loud]
