"""Abbreviations in full, and acronyms without their stops."""

import re

from tts.rule import Rule, choice, opens, rule, stop, word_after, word_before

_TITLES = {
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Prof": "Professor",
    "Gen": "General",
    "Rep": "Representative",
    "Sen": "Senator",
    "Gov": "Governor",
    "Capt": "Captain",
    "Lt": "Lieutenant",
    "Col": "Colonel",
    "Sgt": "Sergeant",
    "Rev": "Reverend",
    "Hon": "Honourable",
    "Pres": "President",
    "Mt": "Mount",
    "Ft": "Fort",
}
_ALWAYS = {
    "e.g": "for example",
    "E.g": "For example",
    "i.e": "that is",
    "I.e": "That is",
    "a.k.a": "also known as",
    "etc": "et cetera",
    "vs": "versus",
    "cf": "compare",
    "approx": "approximately",
    "Approx": "Approximately",
    "ca": "circa",
    "Inc": "Incorporated",
    "Ltd": "Limited",
    "Co": "Company",
    "Corp": "Corporation",
    "Bros": "Brothers",
    "dept": "department",
    "Dept": "Department",
    "govt": "government",
    "resp": "respectively",
    "tel": "telephone",
    "Tel": "Telephone",
    "Jr": "Junior",
    "Sr": "Senior",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "misc": "miscellaneous",
    "incl": "including",
    "excl": "excluding",
    "est": "estimated",
    "Ph.D": "PhD",
} | {short: _TITLES[short] for short in ("Mr", "Mrs", "Ms", "Prof")}
_NUMBERED = {
    "no": "number",
    "nos": "numbers",
    "nr": "number",
    "fig": "figure",
    "figs": "figures",
    "vol": "volume",
    "p": "page",
    "pp": "pages",
    "ch": "chapter",
    "sec": "section",
    "eq": "equation",
    "ver": "version",
    "ext": "extension",
    "tel": "telephone",
    "c": "circa",
    "est": "established",
    "min": "minimum",
    "max": "maximum",
}
_GOING_ON = frozenset(("e.g", "E.g", "i.e", "I.e", "vs", "cf", "approx", "Approx", "ca"))  # never the end of a sentence
_ADDRESS = re.compile(r"(?:[0-9]|\b(?:on|at|to|from|in|near|down|along|off|and|of)) (?:[A-Z]\w+ ){1,2}$")


def _numbered(match: re.Match[str]) -> str | None:
    if match[1] in ("P", "C"):
        return None
    return _NUMBERED[match[1].lower()]


def _always(match: re.Match[str]) -> str | None:
    if match[1] == "al":
        return "al" + stop(match) if word_before(match) == "et" else None
    words = _ALWAYS.get(match[1])
    ends = match[1] not in _GOING_ON or not word_after(match)
    return words and words + (stop(match) if ends else "")


def _title(match: re.Match[str]) -> str | None:
    return _TITLES[match[1]]


def _saint_or_street(match: re.Match[str]) -> str | None:
    """St. Paul on Main St."""
    before, after = word_before(match), _capital(match)
    named = (before[:1].isupper() or before[:1].isdigit()) and not opens(before)
    if after and not (named and opens(after)):
        return "Saint"
    return "Street" + _stop(match) if named or match[1] else None


def _doctor_or_drive(match: re.Match[str]) -> str | None:
    """Dr. Dolittle on Elm Dr."""
    after = _capital(match)
    street = _ADDRESS.search(match.string[max(0, match.start() - 40) : match.start()])
    if street and (not after or opens(after)):
        return "Drive" + _stop(match)
    return "Doctor" + (_stop(match) if not after else "") if after or match[1] else None


def _capital(match: re.Match[str]) -> str:
    """The next word, where it could be a name."""
    after = word_after(match)
    return after if match.string[match.end() : match.end() + 1] == " " and after[:1].isupper() else ""


def _stop(match: re.Match[str]) -> str:
    return stop(match) if match[1] else ""


def _letters(match: re.Match[str]) -> str | None:
    """U.S. -> "US"; long ones letter by letter."""
    letters = match.group().replace(".", "")
    if letters.lower() not in ("am", "pm") and not letters.isupper():
        return None
    said = letters.upper() if len(letters) < 6 else " ".join(letters)
    return said + stop(match) if match[0].endswith(".") else said


def _initial(match: re.Match[str]) -> str | None:
    """J. S. Bach, but "Vitamin C. It"."""
    before = word_before(match)
    named = not before or before[:1].isupper() or before in ("by", "of", "and", "with", "for", "to")
    return None if opens(match[2]) or not named or match[1] == "I" else match[1]


ABBREVIATIONS: list[Rule] = [
    rule(rf"(?<![\w.])((?i:{choice(_NUMBERED)}))\.(?= ?#?(?:[0-9]|[IVXLC]{{2,6}}\b|V\b))", _numbered),
    rule(r"(?<![\w.])No(?= [0-9]{1,3}(?!\w))", "number"),
    rule(r"(?<![\w.])St(\.?)(?!\w)", _saint_or_street),
    rule(r"(?<![\w.])Dr(\.?)(?!\w)", _doctor_or_drive),
    rule(rf"(?<![\w.])({choice(_TITLES)})\.(?= [A-Z])", _title),
    rule(r"(?<![\w.])(Mr|Mrs|Ms|Prof)(?= [A-Z])", _title),
    rule(r"(?<![\w.@/])(e\.g|E\.g|i\.e|I\.e|a\.k\.a|Ph\.D|[A-Za-z]{2,6})\.(?![\w.])", _always),
    rule(r"(?<![\w.])vs(?![\w.])|(?<= )v\.(?= [A-Z])", "versus"),
    rule(r"(?<![\w.])(?:[A-Za-z]\.){1,60}(?:[A-Za-z]\.|[A-Za-z](?!\w))(?!\w)", _letters),
    rule(r"(?<![\w.'’])([A-Z])\.(?= ?([A-Z]\w*))", _initial),
]
