"""Sums of money."""

import re

from tts.numbers import TOKEN, cardinal, number, signed
from tts.rule import DASH, SPACE, Rule, choice, rule, word_before

# One, more, a hundredth, hundredths.
_DOLLAR = ("dollar", "dollars", "cent", "cents")
_POUND = ("pound", "pounds", "penny", "pence")
_EURO = ("euro", "euros", "cent", "cents")
_SYMBOLS = {
    "$": _DOLLAR,
    "US$": ("US dollar", "US dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "£": _POUND,
    "€": _EURO,
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("rouble", "roubles", "kopeck", "kopecks"),
    "₺": ("lira", "lira", "kurus", "kurus"),
    "₴": ("hryvnia", "hryvnias", "kopeck", "kopecks"),
    "₪": ("shekel", "shekels", "agora", "agorot"),
    "₿": ("bitcoin", "bitcoins", "", ""),
}
_CODES = {
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "EUR": _EURO,
    "GBP": ("British pound", "British pounds", "penny", "pence"),
    "JPY": ("yen", "yen", "", ""),
    "CHF": ("Swiss franc", "Swiss francs", "rappen", "rappen"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "NZD": ("New Zealand dollar", "New Zealand dollars", "cent", "cents"),
    "CNY": ("Chinese yuan", "Chinese yuan", "fen", "fen"),
    "INR": ("Indian rupee", "Indian rupees", "paisa", "paise"),
    "SEK": ("Swedish krona", "Swedish kronor", "öre", "öre"),
    "NOK": ("Norwegian krone", "Norwegian kroner", "øre", "øre"),
    "DKK": ("Danish krone", "Danish kroner", "øre", "øre"),
    "PLN": ("Polish zloty", "Polish zloty", "grosz", "groszy"),
}
_NAMES = {**_SYMBOLS, **_CODES}
_SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "mln": "million"}
_SCALES |= {"b": "billion", "B": "billion", "bn": "billion", "T": "trillion", "tn": "trillion", "trn": "trillion"}
_SCALES |= {name: name for name in ("hundred", "thousand", "million", "billion", "trillion")}


def _amount(match: re.Match[str], name: str, low: str | None, high: str, scale: str | None) -> str | None:
    value = number(high)
    first = number(low) if low else ""
    if value is None or first is None:
        return None
    one, more, cent, cents = _NAMES[name]
    attached = word_before(match) in ("a", "an")  # a five dollar bill
    if scale:
        value += " " + _SCALES[scale.strip()]
    if first:
        return f"{first} to {value} {more}"
    whole, _, part = high.partition(".")
    if not scale and cent and len(part) == 2 and not attached:
        small = f"{cardinal(int(part))} {cent if part == '01' else cents}"
        if not int(part):
            return _named(number(whole) or value, one, more)
        if whole == "0":
            return small
        return f"{_named(number(whole) or value, one, more)} and {small}"
    return f"{value} {one if attached else more}" if attached or scale else _named(value, one, more)


def _named(value: str, one: str, more: str) -> str:
    return f"{value} {one if value == 'one' else more}"


def _before(match: re.Match[str]) -> str | None:
    """$5"""
    sign, name, low, _, high, scale = match.groups()
    words = _amount(match, name, low, high, scale)
    return words and signed(sign or "", words)


def _behind(match: re.Match[str]) -> str | list[str] | None:
    """5 €"""
    sign, low, high, scale, name = match.groups()
    words = _amount(match, name, low, high, scale)
    return words and signed(sign or "", words)


def _cents(match: re.Match[str]) -> str | None:
    value = number(match[1])
    return value and _named(value, "cent", "cents")


_SIGN = r"((?<![\w)\]%°.,])[-−+~])?"
_SCALE = rf"({SPACE}(?:hundred|thousand|million|billion|trillion|mn|mln|bn|tn)|{choice(_SCALES)})?(?![^\W_])"
MONEY: list[Rule] = [
    rule(
        rf"{_SIGN}(?<!\w)(?<![0-9] )({choice(_SYMBOLS)}|(?:{choice(_CODES)})(?={SPACE})){SPACE}?"
        rf"(?:({TOKEN}){DASH}(\2)?)?({TOKEN}){_SCALE}",
        _before,
    ),
    rule(rf"{_SIGN}(?:({TOKEN}){DASH})?({TOKEN})(?:{_SCALE}){SPACE}?({choice(_NAMES)})(?!\w)", _behind),
    rule(rf"({TOKEN}){SPACE}?¢", _cents),
]
