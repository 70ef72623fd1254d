"""What a voice pronounces for a written text, and which written word each part of it belongs to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from tts.abbreviations import ABBREVIATIONS
from tts.addresses import ADDRESSES
from tts.dates import dates
from tts.measures import MEASURES
from tts.money import MONEY
from tts.numbers import NUMBERS, ORDINALS
from tts.romans import ROMANS
from tts.rule import Rule, Words
from tts.speakable import speakable
from tts.sums import FRACTIONS, SUMS
from tts.symbols import EMOTICONS, SYMBOLS
from tts.telephones import TELEPHONES
from tts.times import TIMES

# CJK has no spaces, and a dash between words neither.
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
_WORD = re.compile(rf"\s*(?:[^\s{_WIDE}—]*[{_WIDE}—][”’»)]*|[^\s{_WIDE}—]+)\s*|\s+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A written word, or a phrase whose words cannot be told apart, and its sound."""

    written: str
    """Part of the text as the model wrote it, with the spaces and marks around it."""
    spoken: str
    """What a voice pronounces for it; "" where nothing is."""


@dataclass(frozen=True, slots=True)
class _Reading:
    start: int
    end: int
    words: str


def spoken(text: str, language: str = "en") -> list[Unit]:
    """The text, unit by unit, with what is pronounced.

    The `written` of all units add up to exactly `text`, and their `spoken` to the text to pronounce. In English
    numbers, signs and abbreviations are written out; in other languages (`de`, `fr-ca`) marks alone are left out.
    """
    marks = speakable(text)
    tongue, _, region = language.lower().replace("_", "-").partition("-")
    readings = _readings(text, marks, _table(day_first=region.startswith(("gb", "0")))) if tongue == "en" else []
    return _units(text, marks, readings)


@lru_cache
def _table(day_first: bool) -> tuple[Rule, ...]:
    """The rules for what `speakable` leaves, in their order: what one has read, no later one reads."""
    tables = (
        *(EMOTICONS, TELEPHONES, dates(day_first), TIMES, MONEY, FRACTIONS, MEASURES, SUMS),
        *(ROMANS, ABBREVIATIONS, ORDINALS, NUMBERS, SYMBOLS),
    )
    return tuple(chain.from_iterable(tables))


def _readings(text: str, marks: str, table: tuple[Rule, ...]) -> list[_Reading]:
    taken = bytearray(len(text))
    found: list[_Reading] = []
    for source, rules in ((text, ADDRESSES), (marks, table)):
        for rule in rules:
            for match in rule.pattern.finditer(source):
                if rules is ADDRESSES and not _visible(match, marks):
                    continue
                parts = list(_parts(match, rule.read(match)))
                if any(taken.find(1, part.start, part.end) >= 0 for part in parts):
                    continue
                for part in parts:
                    taken[part.start : part.end] = b"\1" * (part.end - part.start)
                found += parts
    return sorted(found, key=lambda reading: reading.start)


def _visible(match: re.Match[str], marks: str) -> bool:
    """Not so the target of a link, which `speakable` leaves out."""
    return marks[match.start(1)] == match.string[match.start(1)]


def _parts(match: re.Match[str], words: Words) -> Iterator[_Reading]:
    if isinstance(words, str):
        yield _Reading(*match.span(), words)
    elif words is not None:
        for part, said in zip(re.finditer(r"\S+", match.group()), words, strict=True):
            if said != part.group():
                yield _Reading(match.start() + part.start(), match.start() + part.end(), said)


def _units(text: str, marks: str, readings: list[_Reading]) -> list[Unit]:
    units: list[Unit] = []
    start = index = 0
    for word in _WORD.finditer(text):
        end, first = word.end(), index
        while index < len(readings) and readings[index].end <= end:
            index += 1
        if index < len(readings) and readings[index].start < end:
            index = first  # the word ends inside of a phrase
            continue
        sound = _sound(marks, start, end, readings[first:index])
        units.append(Unit(text[start:end], _spaced(text[start:end], sound)))
        start = end
    return _with_line_ends(units)


def _sound(marks: str, start: int, end: int, readings: list[_Reading]) -> str:
    """The marks from start to end with the readings in their places, and single spaces."""
    parts: list[str] = []
    at = start
    for reading in readings:
        parts += [marks[at : reading.start], reading.words]
        at = reading.end
    parts.append(marks[at:end])
    sound = ""
    for part in parts:
        # "5km", "R&D": what was read is a word of its own
        sound += " " + part if sound[-1:].isalnum() and part[:1].isalnum() else part
    return " ".join(sound.split())


def _spaced(written: str, sound: str) -> str:
    """The sound between the spaces that were written around it."""
    if not sound:
        return ""
    before = written[: len(written) - len(written.lstrip())]
    return before + sound + written[len(written.rstrip()) :]


def _with_line_ends(units: list[Unit]) -> list[Unit]:
    """A line that ends in a silent mark ends for the voice all the same."""
    last = -1
    for index, unit in enumerate(units):
        if unit.spoken:
            last = index
        elif "\n" in unit.written and last >= 0 and "\n" not in units[last].spoken:
            units[last] = Unit(units[last].written, units[last].spoken.rstrip() + "\n")
    return units
