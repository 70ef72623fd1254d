"""Numbers as they are written -> in words."""

import re
from functools import lru_cache

from num2words.lang_EN import Num2Word_EN  # 30 ms, paid where a voice is loaded and not in its first number

from tts.rule import Rule, rule, word_before

TOKEN = r"(?<![0-9])(?<![0-9][.,])[0-9]++(?:[.,][0-9]++)*+"
"""A run of digits with the points and commas between them; `number` says whether it is one number."""

_NUMBER = re.compile(r"([1-9][0-9]{0,2}(?:,[0-9]{3})++|[0-9]++)(?:\.([0-9]++))?")
_DIGITS = "zero one two three four five six seven eight nine".split()
_LONGEST = 15  # digits that are still heard as a number
_LONGEST_PLAIN = 9  # the same, without grouping, where it is not round
_ENGLISH = Num2Word_EN()
_IN_PAIRS = "Room Suite Apartment Apt Flight Route Highway Boeing Peugeot Unit Gate Bus Locker".split()


@lru_cache(4096)
def cardinal(value: int) -> str:
    """12 -> "twelve"; up to 10^15."""
    return str(_ENGLISH.to_cardinal(value)).replace(",", "")


@lru_cache(1024)
def ordinal(value: int) -> str:
    """22 -> "twenty-second"."""
    return str(_ENGLISH.to_ordinal(value)).replace(",", "")


@lru_cache(1024)
def paired(value: int) -> str:
    """1984 -> "nineteen eighty-four", 1905 -> "nineteen oh five", 101 -> "one oh one", 2005 as a number."""
    return str(_ENGLISH.to_year(value)).replace(",", "").replace("oh-", "oh ")


def plural(word: str) -> str:
    """The plural of a numeral or a regular noun: "nineties", "thirds", "hertz" is none."""
    return word[:-1] + "ies" if word.endswith("y") and word[-2:-1] not in "aeou" else word + "s"


def digits(written: str) -> str:
    """One digit after another: "007" -> "zero zero seven"."""
    return " ".join(_DIGITS[int(digit)] for digit in written)


def number(token: str) -> str | None:
    """A plain or grouped number, with decimals or without, in words; None for "2.0.1" and "1,2"."""
    shape = _NUMBER.fullmatch(token)
    if not shape:
        return None
    whole = _whole(shape[1])
    return f"{whole} point {digits(shape[2])}" if shape[2] else whole


def _whole(written: str) -> str:
    bare = written.replace(",", "")
    long = len(bare) > _LONGEST or (len(written) > _LONGEST_PLAIN and bare == written and not bare.endswith("000"))
    if long or (len(bare) > 1 and bare[0] == "0"):
        return digits(bare)
    return cardinal(int(bare))


def signed(sign: str, words: str) -> str:
    """The words behind what a sign before a number is called."""
    return {"-": "minus ", "−": "minus ", "–": "minus ", "+": "plus ", "±": "plus or minus ", "~": "about "}.get(
        sign, ""
    ) + words


def run(token: str) -> str:
    """Any run of digits, points and commas in words: a number, a version, a list."""
    known = number(token)
    if known:
        return known
    if re.fullmatch(r"[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,4}", token):
        return cardinal(int(token.replace(".", "")))  # grouped as on the continent
    parts = token.split(",")
    return ", ".join(number(part) or " point ".join(map(_whole, part.split("."))) for part in parts)


def _left(match: re.Match[str]) -> str:
    return run(match.group())


def _ordinal(match: re.Match[str]) -> str | None:
    bare = match[1].replace(",", "") if number(match[1]) else ""
    return ordinal(int(bare)) if bare.isdigit() and len(bare) <= _LONGEST else None


def _room(match: re.Match[str]) -> list[str] | None:
    value = int(match[2])
    return [match[1], paired(value)] if value % 100 and value > 99 else None


def _plain(match: re.Match[str]) -> str:
    token = match[3]
    point = "point " if match[2] else ""
    # "Python 3.11" is the eleventh of the third
    version = re.fullmatch(r"[0-9]{1,4}\.[1-9][0-9]", token) and word_before(match) in ("version", "Version", "Python")
    words = " point ".join(map(_whole, token.split("."))) if version else run(token)
    return signed(match[1] or "", point + words)


ORDINALS = [rule(rf"({TOKEN})(?:st|nd|rd|th)(?![^\W_])", _ordinal)]
NUMBERS: list[Rule] = [
    rule(rf"\b({'|'.join(_IN_PAIRS)}) ([0-9]{{3,4}})(?![\w,.]*[0-9])", _room),
    rule(rf"((?<![\w)\]%°.,])[-−–]|(?<![\w)\]])[+±~])?((?<![\w.,)])\.)?({TOKEN})", _plain),
    rule(r"[0-9]++", _left),  # of a run that another rule has read a part of
]
