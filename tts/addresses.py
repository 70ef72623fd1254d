"""E-mail and web addresses, files and names with points in them."""

import re

from tts.numbers import cardinal, digits, paired
from tts.rule import Rule, rule

_MARKS = {".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "?": "question mark"}
_MARKS |= {"=": "equals", "&": "and", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "\\": "backslash"}
_PART = re.compile(r"[^\W\d_]+|[0-9]+|\W|_|\w")
_WORDS = frozenset("co me to so be it in is at no my py md".split())  # of two letters, and yet no initials
_DOMAINS = "com|org|net|edu|gov|info|io|ai|dev|app|eu|uk|de|fr|ch|nl|ca|au|jp|tv"
# A path with its query, up to a mark that ends no address.
_TAIL = r"[^\s<>\"“”`|*()\[\]{}]{0,2000}[\w/=&#%~-]"
_FILES = (
    "py|js|ts|tsx|jsx|rs|go|java|cpp|hpp|css|html|htm|json|yaml|yml|toml|xml|txt|md|csv|tsv|pdf|png|jpe?g|gif|svg|"
    "mp3|mp4|wav|flac|ogg|zip|tar|gz|docx?|xlsx?|pptx?|exe|sh|sql|ipynb|log|conf|ini|lock"
)


def _spelled(address: str) -> str:
    """info@example.com -> "info at example dot com"."""
    return " ".join(map(_part, _PART.findall(address)))


def _part(part: str) -> str:
    if part in _MARKS:
        return _MARKS[part]
    if not part.isascii() or not part.isdigit():
        return _letters(part) if part.isalpha() else ""
    if len(part) <= 2 and (part == "0" or part[0] != "0"):
        return cardinal(int(part))
    return paired(int(part)) if len(part) == 4 and part[:2] in ("19", "20") else digits(part)


def _letters(part: str) -> str:
    """In capitals, hence letter by letter, what nobody can say: "uk", "csv"."""
    short = part.islower() and len(part) <= 4 and part != "www"
    unsaid = len(part) == 2 or not re.search("[aeiouy]", part)
    return part.upper() if short and unsaid and part not in _WORDS else part


def _address(match: re.Match[str]) -> str:
    return _spelled(match[1].rstrip("/"))


def _protocol(match: re.Match[str]) -> str:
    parts = match[1].split(":")
    numbers = " dot ".join(digits(part) if len(part) > 2 else cardinal(int(part)) for part in parts[0].split("."))
    return numbers + "".join(f" colon {digits(part)}" for part in parts[1:])


# Read from the text as it is written, as `speakable` takes some of their marks; group 1 is what is read.
ADDRESSES: list[Rule] = [
    rule(rf"<?\b(?:https?|ftp)://({_TAIL})>?", _address),
    rule(
        r"<?(?<![A-Za-z0-9.+-])(?:mailto:)?([A-Za-z0-9][\w.+-]{0,63}+@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,8})>?",
        _address,
    ),
    rule(
        rf"(?<![\w./@-])(www\.[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}(?:/{_TAIL})?)",
        _address,
    ),
    rule(
        rf"(?<![\w./@-])((?:[A-Za-z0-9][A-Za-z0-9-]{{0,62}}+\.){{1,6}}(?:{_DOMAINS})(?![\w-]|\.\w)"
        rf"(?:/(?:{_TAIL})?)?)",
        _address,
    ),
    rule(rf"(?<![\w./@\\-])((?:[\w-]{{1,60}}+[./\\]){{1,12}}(?:{_FILES}))(?![\w-]|[./]\w)", _address),
    rule(r"(?<![\w/.<>)~])((?:~|\.{1,2})?(?:/[A-Za-z_][\w.-]{0,60}(?<![.])){1,20}/?)(?![\w>])", _address),
    rule(r"(?<![\w.])((?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?)(?![\w]|\.[0-9])", _protocol),
]
