"""Dates, years and decades."""

import re

from tts.numbers import cardinal, ordinal, paired, plural
from tts.rule import DASH, SPACE, Rule, choice, rule, stop, word_after, word_before

_NAMES = "January February March April May June July August September October November December".split()
_SHORT = {name[:3]: name for name in _NAMES} | {"Sept": "September"}
_MONTHS = {name: name for name in _NAMES} | _SHORT | {f"{short}.": name for short, name in _SHORT.items()}
_DAYS = {"Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday"}
_DAYS |= {"Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday"}
# Words before a year: "in 1984 apples were cheap".
_YEARLY = frozenset(
    "in since by until till of year years before after during around circa early late mid summer winter spring fall "
    "autumn through class from between the this ©".split()
)
# Words behind a number that is no year: "1984 apples"; what ends in s and is no noun is left out.
_COUNTED = frozenset("people men women children feet more times percent other different of".split())
_NO_NOUNS = frozenset("was is has as his its this does us plus versus across always besides perhaps yes thus".split())


def day_and_month(day: int, month: str, year: str, day_first: bool) -> str:
    """ "March fifth, twenty twenty-four" or "the fifth of March twenty twenty-four"."""
    tail = paired(int(year))
    return f"the {ordinal(day)} of {month} {tail}" if day_first else f"{month} {ordinal(day)}, {tail}"


def _day(written: str) -> str | None:
    return ordinal(int(written)) if 1 <= int(written) <= 31 else None


def _month_day(match: re.Match[str]) -> list[str] | None:
    month, first, last, comma, year = match.groups()
    day, until = _day(first), _day(last) if last else ""
    if day is None or until is None or (month == "May" and word_after(match) == "people"):
        return None
    said = f"{day} to {until}" if last else day
    return [_MONTHS[month], said + (comma or ""), paired(int(year))] if year else [_MONTHS[month], said]


def _month_year(match: re.Match[str]) -> list[str]:
    return [_MONTHS[match[1]] + match[2], paired(int(match[3]))]


def _day_month(match: re.Match[str]) -> list[str] | None:
    first, last, month, comma, year = match.groups()
    day, until = _day(first), _day(last) if last else ""
    if day is None or until is None:
        return None
    the = "" if word_before(match).lower() == "the" else "the "
    said = f"{the}{day} to the {until} of" if last else f"{the}{day} of"
    return [said, _MONTHS[month] + comma, paired(int(year))] if year else [said, _MONTHS[month]]


def _numeric(day_first: bool, match: re.Match[str]) -> str | None:
    first, mark, second, year = int(match[1]), match[2], int(match[3]), match[4]
    if len(year) == 2:
        year = ("20" if int(year) < 70 else "19") + year
    days_lead = day_first or mark == "." or first > 12
    day, month = (first, second) if days_lead else (second, first)
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    return day_and_month(day, _NAMES[month - 1], year, days_lead)


def _iso(day_first: bool, match: re.Match[str]) -> str | None:
    month, day = int(match[2]), int(match[3])
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    return day_and_month(day, _NAMES[month - 1], match[1], day_first)


def _years(match: re.Match[str]) -> str | None:
    first, last = match[1], match[2]
    if len(last) == 2:
        rises = last > first[2:]
        return f"{paired(int(first))} to {cardinal(int(last))}" if rises and int(last) > 12 else None
    return f"{paired(int(first))} to {paired(int(last))}" if first < last else None


def _decade(match: re.Match[str]) -> str | None:
    century, tens = match[1] or "", int(match[2])
    if century and not tens:
        return plural(paired(int(century + "00")))
    if not tens or (not century and tens < 20):
        return None
    return f"{cardinal(int(century))} {plural(cardinal(tens))}" if century else plural(cardinal(tens))


def _era(match: re.Match[str]) -> str:
    return paired(int(match[0]))


def _year(match: re.Match[str]) -> str | None:
    value = int(match[0])
    before, after = word_before(match).lower(), word_after(match)
    if before in _YEARLY:
        return paired(value)
    counted = after in _COUNTED or (after.islower() and after.endswith("s") and not after.endswith("ss"))
    return None if value < 1100 or (counted and after not in _NO_NOUNS) else paired(value)


def _short_year(match: re.Match[str]) -> str:
    return f"oh {cardinal(int(match[1]))}" if match[1] < "10" else cardinal(int(match[1]))


def _weekday(match: re.Match[str]) -> str:
    return _DAYS[match[1]]


def _month(match: re.Match[str]) -> str:
    return _SHORT[match[1]] + stop(match)


_MONTH = rf"(?<!\w)({choice(_MONTHS)})(?!\w)"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR = r"([12][0-9]{3})(?!\w|[-–.,:/][0-9])"
_END = r"(?!\w|[-–.,:/][0-9]|%)"
_UNITS = rf"(?!{SPACE}?(?:km|m|cm|kg|g|miles|hours|minutes|days|years|people|percent)\b)"
_START = r"(?<![\w.,:/$€£-])"


def dates(day_first: bool) -> list[Rule]:
    """The rules, with 3/5/2024 in March, or the third."""
    return [
        rule(
            r"(?<![\w-])([12][0-9]{3})-([0-9]{2})-([0-9]{2})(?:T(?=[0-9]{2}:)|(?![\w-]))",
            lambda match: _iso(day_first, match),
        ),
        rule(
            r"(?<![\w/.-])([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4}|(?<=/)[0-9]{2})(?![\w/-])",
            lambda match: _numeric(day_first, match),
        ),
        rule(rf"{_MONTH}{SPACE}{_DAY}(?:[-–]{_DAY})?(?:(,?){SPACE}{_YEAR}|{_END}{_UNITS})", _month_day),
        rule(rf"{_START}{_DAY}(?:[-–]{_DAY})?{SPACE}{_MONTH}(?:(,?){SPACE}{_YEAR})?", _day_month),
        rule(rf"{_MONTH}(,?){SPACE}{_YEAR}", _month_year),
        rule(rf"{_START}([12][0-9]{{3}}){DASH}([12][0-9]{{3}}|[0-9]{{2}}){_END}", _years),
        rule(r"(?<![\w.,$€£])['’]?([12][0-9])?([0-9]0)['’]?s(?!\w)", _decade),
        rule(r"(?<!\w)[0-9]{1,4}(?= ?(?:AD|BCE?|CE|A\.D\.|B\.C\.)(?!\w))", _era),
        rule(r"(?:(?<=\bAD )|(?<=\bA\.D\. ))[0-9]{1,4}(?!\w)", _era),
        rule(r"(?<![\w.,:/$€£#°+×*^=−–])(?<![0-9]-)(?<!\W-)[12][0-9]{3}(?!\w|[-–.,:/][0-9]|[/:%°×*^])", _year),
        rule(r"(?<!\w)['’]([0-9]{2})(?![\w'’]|[.,:][0-9])", _short_year),
        rule(rf"(?<!\w)({choice(_DAYS)})\.(?=,? (?:[0-9]|{choice(_NAMES)}))", _weekday),
        rule(rf"(?<!\w)({choice(_SHORT)})\.(?!\w)", _month),
    ]
