"""What a voice that is fed with phonemes says at a time: a clause, how it is pronounced, and its written words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tts.engine import Setting, engine, phonemes
from tts.pronunciation import Pronunciation, pronounce
from tts.spoken import Unit, spoken
from tts.text import Splitter
from tts.voice import VoiceError
from tts.words import closing_mark

LONG_TEXT = 400  # characters, so many that there is no need to look how many symbols they are


@dataclass(frozen=True, slots=True)
class Clause:
    """What is made at once. `written`: a text for each of the pronunciation's ends. `mark`: what ends it, or ""."""

    pronunciation: Pronunciation
    written: tuple[str, ...]
    mark: str


@dataclass(frozen=True, slots=True)
class Clauses:
    """How a text is cut: whole up to `whole` symbols, else clause by clause, and each of these by `cut`.

    `phonemes` gives the IPA of a text in `language`, a tag as in `en-us`.
    """

    language: str
    phonemes: Callable[[str], str]
    whole: int
    cut: Callable[[Pronunciation], Iterator[Pronunciation]]

    def of(self, text: str) -> Iterator[Clause]:
        """Clauses whose `written` add up to exactly `text`."""
        if len(text) <= LONG_TEXT:
            units = spoken(text, self.language)
            whole = self._pronounce(units)
            if len(whole.symbols) <= self.whole:
                yield from self._cut(units, whole, text)
                return
        splitter = Splitter()
        for piece in [*splitter.push(text), *splitter.flush()]:
            units = spoken(piece, self.language)
            yield from self._cut(units, self._pronounce(units), piece)

    def _pronounce(self, units: Sequence[Unit]) -> Pronunciation:
        return pronounce([unit.spoken for unit in units], self.phonemes)

    def _cut(self, units: Sequence[Unit], pronunciation: Pronunciation, text: str) -> Iterator[Clause]:
        written, told = [unit.written for unit in units], 0
        for piece in self.cut(pronunciation):
            until = told + len(piece.ends)
            mark = closing_mark(text) if until == len(units) else ""
            yield Clause(piece, tuple(written[told:until]), mark)
            told = until


def phonemes_of(language: str, voice: str) -> Callable[[str], str]:
    """What gives espeak-ng's IPA of a text in that language. Raises VoiceError, which names the voice."""
    known = engine().languages.get(language)
    if known is None:
        raise VoiceError(f"{voice} speaks {language}, which espeak-ng does not know: take another voice")
    return partial(_decomposed, Setting(known, speed=165, pitch=50))


def _decomposed(setting: Setting, text: str) -> str:
    return unicodedata.normalize("NFD", phonemes(setting, text))
