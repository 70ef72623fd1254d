"""Signs between numbers, ranges, fractions and powers."""

import re
import unicodedata

from tts.numbers import TOKEN, cardinal, number, ordinal, paired, plural, run, signed
from tts.rule import SPACE, Rule, rule, word_after, word_before

_SIGNS = {
    "+": "plus",
    "-": "minus",
    "−": "minus",
    "–": "minus",
    "×": "times",
    "·": "times",
    "*": "times",
    "x": "by",
    "÷": "divided by",
    "/": "divided by",
    "=": "equals",
    "≠": "is not equal to",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is at most",
    "≥": "is at least",
    "≈": "is about",
    "±": "plus or minus",
    "→": "to",
    "^": "to the power of",
}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
RAISED = "[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,9}"
_TERM = rf"[-−]?{TOKEN}(?:(?:{RAISED})|%|°)?"
# A hyphen with a space on one side only is a sign or a dash.
_SIGN = rf"{SPACE}[-+−–×·*x÷/=≠<>≤≥≈±→^]{SPACE}|[-+−–×·*x÷/=≠<>≤≥≈±→^](?!{SPACE})"
_FIRST = re.compile(_TERM)
_NEXT = re.compile(rf"({_SIGN})({_TERM})")
_SIZE = re.compile("[1-9][0-9]{2,3}x[1-9][0-9]{2,3}")  # in pixels
_RANGES = frozenset("pages page pp. ages aged from between years lines verses chapters".split())
_LARGE = {"M": "million", "bn": "billion", "mn": "million", "tn": "trillion"}
_SAID = {"24/7": "twenty-four seven", "9/11": "nine eleven", "50/50": "fifty fifty", "20/20": "twenty twenty"}


def power(exponent: str) -> str:
    """What is said behind the base: "squared", "cubed", "to the power of ten"."""
    if exponent in ("2", "3"):
        return "squared" if exponent == "2" else "cubed"
    sign = exponent[0] if exponent[0] in "-−+" else ""
    return f"to the power of {signed(sign, run(exponent[len(sign) :] or '0'))}"


def fraction(top: int, bottom: int) -> str:
    """1, 2 -> "one half"; 3, 4 -> "three quarters"; `bottom` is at least 2."""
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(bottom)
    if top != 1:
        name = "halves" if bottom == 2 else plural(name)
    return f"{cardinal(top)} {name}"


def _fraction(match: re.Match[str]) -> str | None:
    whole, top, bottom = match[1], int(match[2]), int(match[3])
    written = f"{match[2]}/{match[3]}"
    if not whole and written in _SAID:
        return _SAID[written]
    if bottom < 2 or not top or match[2][0] == "0":
        return None
    if whole:
        return _mixed(whole, top, bottom) if top < bottom else None
    if top == bottom or (bottom in (10, 100) and top > 1):
        return f"{cardinal(top)} out of {cardinal(bottom)}"
    if top > bottom:
        return f"{cardinal(top)} divided by {cardinal(bottom)}"
    return fraction(top, bottom) if top == 1 or bottom <= 100 else f"{cardinal(top)} over {cardinal(bottom)}"


def _mixed(whole: str, top: int, bottom: int) -> str:
    part = fraction(top, bottom)
    return f"{run(whole)} and {part.replace('one ', 'a ' if bottom != 8 else 'an ', 1) if top == 1 else part}"


def _vulgar(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[2]).split("⁄")
    return _mixed(match[1], int(top), int(bottom)) if match[1] else fraction(int(top), int(bottom))


def _sum(match: re.Match[str]) -> str | list[str] | None:
    written = match.group()
    first = _FIRST.match(written)
    if not first:
        return None
    steps = [(step[1], step[2]) for step in _NEXT.finditer(written, first.end())]
    signs = {sign for sign, _ in steps}
    if len(steps) > 1 and signs <= {"-", "–"}:
        return " ".join([_term(first.group()), *(_term(term) for _, term in steps)])  # 4-4-2
    ranges = len(steps) == 1 and _is_range(match, first.group(), steps[0][1], steps[0][0])
    if ranges and first.group() == steps[0][1]:
        return f"{_term(first.group())} {_term(first.group())}"  # 50-50, a 3-3 draw
    if steps[0][0] == "x" and len(steps) == 1 and _SIZE.fullmatch(written):
        return " by ".join(paired(int(side)) for side in written.split("x"))
    words = [_term(first.group())]
    for sign, term in steps:
        said = _SIGNS[sign.strip()]
        if ranges:
            said = "to"
        elif sign.strip() == "x":
            said = "by" if sign == "x" else "times"
        elif len(steps) > 1 and signs == {"/"}:
            said = "slash"
        elif sign == "/" and term in ("5", "10", "100"):
            said = "out of"  # 9.5/10
        words += [said, _term(term)]
    joined = " ".join(words)
    # A sum of two is one phrase; a longer one is followed word by word.
    return words if len(words) > 3 and len(written.split()) == len(words) else joined


def _is_range(match: re.Match[str], low: str, high: str, sign: str) -> bool:
    if sign.strip() not in ("-", "–") or low[0] in "-−":
        return False
    if sign == sign.strip():
        return True  # "10-20", the score of "2-1"
    ascending = _value(low) < _value(high)
    counted = word_after(match).islower() or high[-1:] in "%°"
    return word_before(match).lower() in _RANGES or (ascending and (sign.strip() == "–" or counted))


def _value(term: str) -> float:
    bare = re.sub(r"[^0-9.]", "", term)[:300]
    return float(bare) if bare.replace(".", "", 1).isdigit() else 0.0


def _term(term: str) -> str:
    shape = re.fullmatch(rf"([-−]?)([0-9.,]++)({RAISED}|)([%°]?)", term)
    if not shape:
        return term
    words = signed(shape[1], run(shape[2]))
    if shape[3]:
        words += " " + power(shape[3].translate(SUPERSCRIPTS))
    return words + {"%": " percent", "°": " degrees", "": ""}[shape[4]]


def _raised(match: re.Match[str]) -> str:
    return power(match[1].strip("()"))


def _millions(match: re.Match[str]) -> str | None:
    count = number(match[1])
    return count and f"{count} {_LARGE[match[2]]}"


def _scientific(match: re.Match[str]) -> str | None:
    base = number(match[1])
    return f"{base} times {_term('10')} {power(match[2].lstrip('+'))}" if base else None


def _times(match: re.Match[str]) -> str | None:
    count = number(match[1])
    return f"{count} times" if count and count != "zero" else None


def _lines(match: re.Match[str]) -> str:
    return f"{paired(int(match[1]))} {match[2]}"


_EDGE = r"(?![0-9]|[.,/][0-9])"
_BEFORE = r"(?<![\w.,/$€£-])"
FRACTIONS: list[Rule] = [
    rule(rf"{_BEFORE}(?:([0-9]{{1,6}}){SPACE})?([0-9]{{1,6}})/([0-9]{{1,6}}){_EDGE}(?!\w|{SPACE}?[=×*÷+^])", _fraction),
    rule(rf"(?:{_BEFORE}([0-9]{{1,6}}){SPACE}?)?([¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])", _vulgar),
]
SUMS: list[Rule] = [
    rule(r"(?<=[^\W\d]|[)])\^(\(?[-−+]?[0-9]{1,9}\)?)(?![\w)])", _raised),
    rule(rf"(?<!\w)({TOKEN})(M(?= [a-z])|bn|mn|tn)(?!\w)", _millions),
    rule(rf"({TOKEN})[eE]([-−+]?[0-9]{{1,4}})(?!\w)", _scientific),
    rule(rf"(?<![\w-]){_TERM}(?:(?:{_SIGN}){_TERM})++", _sum),
    rule(rf"(?<!\w){TOKEN}(?:{RAISED})", lambda match: _term(match.group())),
    rule(rf"(?<!\w)({TOKEN})[x×](?![\w-]|{SPACE}?[-−+=×*/^<>)²³])", _times),
    rule(r"(?<!\w)([0-9]{3,4})([pi])(?!\w)", _lines),
]
