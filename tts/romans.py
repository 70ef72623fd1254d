"""Roman numerals, of kings and of chapters."""

import re

from tts.numbers import cardinal, ordinal
from tts.rule import Rule, opens, rule

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_KINGS = (
    "Albert Alexander Alfonso Benedict Boniface Carl Catherine Charles Christian Clement Constantine Edward Elizabeth "
    "Ferdinand Francis Frederick George Gregory Gustav Haakon Harald Henry Innocent Isabella Ivan James John Joseph "
    "Juan Julius Karl Leo Leopold Louis Ludwig Margaret Mary Maximilian Mehmed Murad Napoleon Nicholas Olav Otto Paul "
    "Pedro Peter Philip Pius Ptolemy Ramesses Ramses Richard Robert Rudolf Selim Sigismund Sixtus Stephen Thutmose "
    "Urban Victor Wilhelm William Xerxes Darius Cyrus Amenhotep Umberto Emmanuel"
).split()
_NUMBERED = (
    "Chapter Part Volume Vol. Book Act Scene Section Article Appendix Figure Fig. Table Phase Type Level Class Grade "
    "Stage War Episode Title Mark Bowl Division Group Schedule Annex Canto Symphony Sonata No. Factor Tier Category "
    "Round Unit Lesson Season Step Vatican Quartet Concerto Century"
).split()
# "Elizabeth I was queen", but "as Elizabeth I think of you".
_AFTER_PRONOUN = (
    "think am know have had do don did want believe guess mean said love like can could will would should may might "
    "must need hope see saw met heard read wrote told asked feel felt never always just really only"
).split()
_NO_PRONOUN = rf"(?:(?<=[IVXLC]{{2}})|(?<= [VXLC])|(?!['’](?!s\b)| (?:{'|'.join(_AFTER_PRONOUN)})\b))"
_ROMAN = r"(?=[IVXLC])(C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
_END = r"(?![\w-])"


def _value(roman: str) -> int:
    values = [_VALUES[letter] for letter in roman]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def _king(match: re.Match[str]) -> list[str] | None:
    value = _value(match[2])
    return [match[1], f"the {ordinal(value).capitalize()}"] if value <= 39 else None


def _chapter(match: re.Match[str]) -> list[str] | None:
    if match[2] in ("C", "L"):
        return None
    return [match[1], cardinal(_value(match[2])).capitalize()]


def _sequel(match: re.Match[str]) -> list[str] | None:
    """Rocky II; one letter could be anything, and so could forty and more: DC, XL."""
    value = _value(match[2])
    if len(match[2]) < 2 or value > 39 or opens(match[1]):
        return None
    return [match[1], cardinal(value).capitalize()]


ROMANS: list[Rule] = [
    rule(rf"\b({'|'.join(_KINGS)}) {_ROMAN}{_END}{_NO_PRONOUN}", _king),
    rule(rf"\b({'|'.join(map(re.escape, _NUMBERED))}) {_ROMAN}{_END}{_NO_PRONOUN}", _chapter),
    rule(rf"(?<![\w'’])([A-Z][a-z]{{1,20}}) {_ROMAN}{_END}", _sequel),
]
