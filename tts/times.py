"""Times of day, and ratios, which look alike."""

import re

from tts.numbers import cardinal
from tts.rule import DASH, SPACE, Rule, rule, stop, word_before

_HALF = r"([aApP])(?:\.[mM]\.?|[mM](?!\w))"
_RATIO = re.compile(r"\b(?:ratio|scale|odds|aspect)s?(?: of| is| was| at)? ?$", re.IGNORECASE)


def _clock(hour: int, minute: int, second: str | None = None, half: str = "") -> str:
    """10, 5, None, "PM" -> "ten oh five PM"."""
    if not half and not minute and not second:
        return _full_hour(hour)
    words = cardinal(hour)
    if minute or second:
        words += f" oh {cardinal(minute)}" if 0 < minute < 10 else f" {cardinal(minute)}"
    if second:
        words += f" and {cardinal(int(second))} second{'' if int(second) == 1 else 's'}"
    return f"{words} {half}".rstrip()


def _full_hour(hour: int) -> str:
    if hour in (0, 24):
        return "midnight"
    return f"{cardinal(hour)} o'clock" if hour <= 12 else f"{cardinal(hour)} hundred"


def _half(letter: str | None) -> str:
    return f"{letter.upper()}M" if letter else ""


def _time(match: re.Match[str]) -> str | None:
    first, first_minute, first_half, hour, minute, second, half = match.groups()
    alone = not half and not minute
    if alone or int(hour) > 24 or (first and int(first) > 24) or (half and int(hour) > 12 and not minute):
        return None
    if not half and _is_ratio(match):
        return None
    words = _clock(int(hour), int(minute or 0), second, _half(half))
    if first:
        # "7-9 pm"; "10:30-11:45"
        words = f"{_hour(first, first_minute, first_half, half)} to {words}"
    return words + stop(match) if match[0].endswith(".") else words


def _hour(hour: str, minute: str | None, half: str | None, after: str | None) -> str:
    if not minute and not half and after:
        return cardinal(int(hour))
    return _clock(int(hour), int(minute or 0), None, _half(half)) if minute or half else cardinal(int(hour))


def _dotted(match: re.Match[str]) -> str:
    words = _clock(int(match[1]), int(match[2]), None, _half(match[3]))
    return words + stop(match) if match[0].endswith(".") else words


def _is_ratio(match: re.Match[str]) -> bool:
    return _RATIO.search(match.string[max(0, match.start() - 20) : match.start()]) is not None


def _ratio(match: re.Match[str]) -> str:
    """2:1, but Psalm 23:1-3"""
    named = word_before(match)[:1].isupper() and not _is_ratio(match)
    words = (" " if named else " to ").join(cardinal(int(match[part])) for part in (1, 2))
    return f"{words} to {cardinal(int(match[3]))}" if match[3] else words


_MINUTE = r"[0-5][0-9]"
TIMES: list[Rule] = [
    rule(
        rf"(?:(?<=[0-9]T)|(?<![\w:.,/$€£-]))(?:([0-9]{{1,2}})(?::({_MINUTE}))?(?:{SPACE}?{_HALF})?{DASH})?"
        rf"([0-9]{{1,2}})(?::({_MINUTE})(?::({_MINUTE}))?)?(?![0-9:]|[.,][0-9])(?:{SPACE}?{_HALF})?(?![^\W_])",
        _time,
    ),
    rule(rf"(?<![\w:.,])([0-9]{{1,2}})\.({_MINUTE}){SPACE}?{_HALF}(?!\w)", _dotted),
    rule(r"(?<![\w:.,])([0-9]{1,3}):([0-9]{1,3})(?:[-–]([0-9]{1,3}))?(?![\w:]|[.,][0-9])", _ratio),
]
