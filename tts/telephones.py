"""Telephone numbers and other numbers that are told digit by digit."""

import re

from tts.numbers import digits
from tts.rule import SPACE, Rule, rule, word_after, word_before

_RANGES = frozenset("pages page pp. from between years lines about approximately around".split())
_LIST = re.compile(r"[0-9]+")


def _groups(match: re.Match[str]) -> list[str] | None:
    """Each group of digits, with a comma behind it, as people pause there."""
    written = match.group().split()
    count = sum(char.isdigit() for char in match.group())
    grouped = len(_LIST.findall(match.group())) > 1
    if not 7 <= count <= 19 or (not grouped and count < 10):
        return None
    words = [("plus " if word[0] == "+" else "") + ", ".join(map(digits, _LIST.findall(word))) for word in written]
    return [word + "," for word in words[:-1]] + words[-1:]


def _local(match: re.Match[str]) -> list[str] | None:
    """555-0123, which could be a range."""
    low, high = match[1], match[2]
    ranges = word_before(match).lower() in _RANGES or (low[-1] == "0" and high[-1] == "0" and high[0] != "0")
    counted = word_after(match).islower() and word_after(match).endswith("s") and high[0] != "0"
    return None if ranges or counted or low[0] < "2" else _groups(match)


def _identity(match: re.Match[str]) -> list[str] | None:
    """978-3-16-148410-0; shorter ones are dates, or scores."""
    return _groups(match) if sum(map(str.isdigit, match.group())) > 8 else None


def _told(match: re.Match[str]) -> str:
    return digits(match.group())


_START = r"(?<![\w+.,/-])"
_END = r"(?![0-9]|[-.,:/][0-9]|[^\W_])"
_CALL = "|".join(rf"(?<=\b{word} )" for word in ("call", "Call", "dial", "Dial", "ring", "Ring", "phone", "calling"))
_CODE = "|".join(rf"(?<=\b{word} )" for word in ("code", "Code", "PIN", "pin", "extension", "ext.", "ZIP", "HTTP"))
TELEPHONES: list[Rule] = [
    rule(rf"(?<![\w+])\+[0-9]{{1,4}}(?:[ \u00a0.-]?(?:\([0-9]{{1,5}}\)|[0-9]{{1,12}})){{1,6}}{_END}", _groups),
    rule(rf"(?<![\w+.,/-])(?:1[-. ])?\([0-9]{{3}}\){SPACE}?[0-9]{{3}}[-. ][0-9]{{4}}{_END}", _groups),
    rule(rf"{_START}(?:1([-. ]))?[0-9]{{3}}([-. ])[0-9]{{3}}\2[0-9]{{4}}{_END}", _groups),
    rule(rf"{_START}([0-9]{{3}})-([0-9]{{4}}){_END}", _local),
    rule(rf"{_START}0[0-9]{{1,4}}(?:[ -][0-9]{{3,8}}){{1,3}}{_END}", _groups),
    rule(rf"{_START}[0-9]{{4}}(?:[ -][0-9]{{4}}){{3}}{_END}", _groups),
    rule(rf"{_START}[0-9]{{1,5}}(?:-[0-9]{{1,7}}){{2,5}}{_END}", _identity),
    rule(rf"(?=[0-9])(?:{_CALL})(?:911|999|112|101|111|411|211|311|988|000|110|118|119){_END}", _told),
    rule(rf"(?=[0-9])(?:{_CODE})[0-9]{{3,9}}{_END}", _told),
]
