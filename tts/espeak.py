"""espeak-ng in this process: speech in milliseconds, with no model to fetch.

A piece is made clause by clause: a clause takes the engine a few milliseconds, is made whole under the
engine's lock and handed over after it. So a slow listener holds up no other session's voice.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

import numpy as np

from tts.captioned import captioned
from tts.engine import RATE, Setting, engine, synthesize
from tts.loudness import MEASURED, gain, limited
from tts.spoken import Unit, spoken
from tts.text import Splitter
from tts.voice import SpeechChunk, VoiceError, unknown_voice
from tts.words import closing_mark, unstopped

WORDS_A_MINUTE = 165  # the usual speed


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
        samples, words = synthesize(self._setting, unstopped(sound) + going_on)
        samples = limited(samples * _gain(self._setting))
        written = [unit.written for unit in units]
        yield from captioned(iter((samples,)), RATE, written, _ends(units, words, len(samples)), mark)


@lru_cache
def _gain(setting: Setting) -> np.float32:
    """What makes this voice as loud as the others (some ms, once)."""
    return np.float32(gain((synthesize(setting, piece)[0] for piece in MEASURED), RATE))


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


def _ends(units: list[Unit], words: list[tuple[int, int]], length: int) -> list[int]:
    """The sample at which each unit ends, which is where the next one starts; `words` as the engine tells them.

    The engine also reports words inside of a unit: "one thousand" for "1,000". Marks before the first word are
    told with it.
    """
    heard = list(accumulate((len(unit.spoken) for unit in units), initial=0))
    starts = [length] * len(units)
    for at, position in reversed(words):
        starts[min(len(units) - 1, bisect_right(heard, max(position, 0)) - 1)] = at
    first = next((index for index, unit in enumerate(units) if any(map(str.isalnum, unit.spoken))), 0)
    starts[: first + 1] = [0] * (first + 1)
    for index in reversed(range(len(units) - 1)):  # a unit without a sound ends with the one before it
        starts[index] = min(starts[index], starts[index + 1])
    return [*starts[1:], length]
