"""Signs that are words, one by one, and names with signs in them."""

import re
import unicodedata

from tts.numbers import run
from tts.rule import SPACE, Rule, choice, rule
from tts.sums import RAISED, SUPERSCRIPTS, power

_SIGNS = {
    "&amp;": "and",
    "&nbsp;": "",
    "&lt;": "is less than",
    "&gt;": "is greater than",
    "&&": "and",
    "&": "and",
    "@": "at",
    "%": "percent",
    "+/-": "plus or minus",
    "+": "plus",
    "==": "equals",
    "!=": "is not equal to",
    ">=": "is at least",
    "<=": "is at most",
    "->": "to",
    "=>": "to",
    "<-": "from",
    "-->": "to",
    "=": "equals",
    "<": "is less than",
    ">": "is greater than",
    "±": "plus or minus",
    "−": "minus",
    "×": "times",
    "÷": "divided by",
    "≠": "is not equal to",
    "≤": "is at most",
    "≥": "is at least",
    "≈": "is about",
    "≡": "is identical to",
    "∝": "is proportional to",
    "√": "the square root of",
    "∞": "infinity",
    "∑": "the sum of",
    "∫": "the integral of",
    "∂": "partial",
    "∈": "in",
    "∩": "intersected with",
    "∪": "united with",
    "→": "to",
    "⇒": "implies",
    "↔": "to and from",
    "←": "from",
    "↑": "up",
    "↓": "down",
    "°": "degrees",
    "⁺": "plus",
    "⁻": "minus",
    "§§": "sections",
    "§": "section",
    "¶": "paragraph",
    "©": "copyright",
    "®": "",
    "™": "",
    "№": "number",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "¥": "yen",
    "¢": "cents",
    "\\": "backslash",
    "~": "",
    "#": "hash",
    "^": "",
    "*": "",
    "†": "",
    "‡": "",
}
_PRONOUN = "(?i:he|she|him|hers?|his|they|them|their)"
_NAMES = {"C++": "C plus plus", "C#": "C sharp", "F#": "F sharp", "G#": "G sharp", "A#": "A sharp", "D#": "D sharp"}
_NAMES |= {".NET": "dot NET", "w/o": "without", "c/o": "care of", "N/A": "N A", "n/a": "N A", "+/-": "plus or minus"}
_PERIODS = "second minute hour day night week month year person head kilo pound unit user piece page item mile".split()


def _superscript(match: re.Match[str]) -> str:
    """x², and the mark of a footnote, which nobody reads."""
    return power(match[1].translate(SUPERSCRIPTS))


def _greek(match: re.Match[str]) -> str | None:
    name = unicodedata.name(match[0], "")
    return name.rpartition(" ")[2].lower() if re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER \w+", name) else None


def _subscript(match: re.Match[str]) -> str:
    return run(unicodedata.normalize("NFKC", match[0]))


_SOUNDLESS = "=+*~^<>#%&$@"
EMOTICONS = [rule(r"(?<!\S)(?:[:;=]['’]?-?[()DPpO/\\|]|<3|\^_\^|\^ \^)(?!\S)", "")]
SYMBOLS: list[Rule] = [
    rule(r"(?<=\w)·(?=\w)", " times "),
    rule(rf"(?<![\w+#])(?:{choice(_NAMES)})(?![\w+#])", lambda match: _NAMES[match[0]]),
    rule(r"(?<!\w)w/(?=[ \w])", "with"),
    rule(r"</?[A-Za-z][A-Za-z0-9]{0,15}(?: [^<>\n]{0,100})?/?>", ""),
    rule(rf"(?<![^\W\d_]{{3}})(?<=[\w)\]])({RAISED})", _superscript),
    rule(RAISED, ""),
    rule(r"[₀-₉]{1,9}", _subscript),
    rule(r"(?<![\u0370-\u03ff\u1f00-\u1fff])[\u0391-\u03c9](?![\u0370-\u03ff\u1f00-\u1fff])", _greek),
    # he/she, AC/DC, 5/month
    rule(rf"(?<![\w/])({_PRONOUN})/({_PRONOUN})(?![\w/])", lambda match: f"{match[1]} or {match[2]}"),
    rule(rf"(?<=\w)/(?=(?:{'|'.join(_PERIODS)})\b)", " per "),
    rule(r"(?<=[^\W\d_])/(?=[^\W\d_])", " "),
    rule(rf"(?<={SPACE})/(?={SPACE})|(?<=\w)/(?=\w)", " slash "),
    # Mon–Fri, 1980s-1990s, $5k–$10k
    rule(r"(?<=\w)–(?=[\w$£€])|(?<=[0-9]s)-(?=['’]?[0-9])|(?<=[0-9kKmM])-(?=[$£€])|(?<=[0-9][kKM])-(?=[0-9])", " to "),
    rule(r"(?<=[a-z]):(?=[0-9])", " colon "),
    rule(r"\bA(?=[0-9]{1,4}\b)", "A-"),
    rule(r"\bv(?=[0-9])", "version"),
    rule(rf"([{re.escape(_SOUNDLESS)}])\1{{2,}}+", ""),
    rule(r"#(?= ?[0-9])", "number"),
    rule(r"#(?=[^\W\d_])", "hashtag"),
    rule(r"~(?= ?[0-9$£€])", "about"),
    rule(choice(_SIGNS), lambda match: _SIGNS[match[0]]),
    # of "<-5", where the sign of the number is read
    rule(choice(sign for sign in _SIGNS if len(sign) == 1), lambda match: _SIGNS[match[0]]),
]
