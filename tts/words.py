"""What the words and marks of a written text tell a speaker: where it may stop and where it must not."""

import re

SENTENCE_MARKS = ".!?…。！？"
CLAUSE_MARKS = ",;:—–，；：、"
CLOSERS = "\"'”’»)]}*_~`」』）】"
OPENERS = "\"'“‘«([{*_~`「『（【"


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_ABBREVIATIONS = _set(
    "dr mr mrs ms prof st mt gen rep sen gov capt lt col sgt rev hon jr sr ph.d",
    "vs cf approx etc inc ltd co corp dept est e.g i.e al ca resp tel ave blvd rd",
)
# Abbreviations only where a number follows: "No. 5", but "No. I do not."
_NUMBERED = _set("no nos nr fig vol p pp ch sec eq ext ver max jan feb mar apr jun jul aug sep sept oct nov dec")
# Abbreviations only behind a number: "5 ft. tall".
_MEASURES = _set("ft in yd mi lb lbs oz gal min mins sec secs hr hrs")
_MONTHS = _set(
    "january february march april may june july august september october november december",
    "jan feb mar apr jun jul aug sep sept oct nov dec",
)
_DAY = re.compile(r"\d{1,2}(?:st|nd|rd|th)?,")
# Signs that are read together with what stands on both their sides.
_SIGNS = "+=×÷·*/<>≤≥≈±→^&%°"
_CONJUNCTIONS = _set("and but or so because although though while whereas which if when unless until")
_PREPOSITIONS = _set(
    "in on at with for from by about during after before near over under through into onto",
    "between behind beside against without within across along around like than that who where",
)
_LEANING = _CONJUNCTIONS | _set(
    "a an the of to in on at for with by from as than is are was were be been not no very who",
    "my your his her its our their this that these those i you we they he she it",
    "can will would could should do does did has have",
)
_INITIALS = re.compile(r"[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]")
_WORD = re.compile(r"[\u3040-\u9fff]{1,2}|[^\W_]+(?:['’.,:-][^\W_]+)*")
_UNIT = re.compile(r"\S+")


def count_words(text: str) -> int:
    """How many words a text has; "10:30" and "well-known" are one, two CJK characters are one."""
    return len(_WORD.findall(text))


def is_conjunction(unit: str) -> bool:
    """Whether a clause may begin with this word."""
    return unit.lower().rstrip(",") in _CONJUNCTIONS


def is_preposition(unit: str) -> bool:
    """Whether a phrase may begin with this word: a poorer place to stop than before a conjunction."""
    return unit.lower() in _PREPOSITIONS


def is_abbreviation(unit: str) -> bool:
    """Whether the stop at the end of a word belongs to the word: "Dr.", "U.S.", the "J." of a name."""
    bare = unit.strip(OPENERS + CLOSERS)
    if not bare.endswith("."):
        return False
    return bare[:-1].lower() in _ABBREVIATIONS or _INITIALS.fullmatch(bare[:-1]) is not None


def is_numbered(unit: str) -> bool:
    """Whether the stop belongs to the word as long as a number follows: "No. 5", "Fig. 2", "Jan. 3"."""
    return unit.endswith(".") and unit[:-1].lstrip(OPENERS).lower() in _NUMBERED


def is_measure(unit: str) -> bool:
    """Whether the stop belongs to the word where a number stands before it and the sentence goes on: "5 ft. tall"."""
    return unit.endswith(".") and unit[:-1].lower() in _MEASURES


def is_day(before: str, unit: str) -> bool:
    """Whether the comma parts a day from its year, where a number follows: "March 5, 2024"."""
    return _DAY.fullmatch(unit) is not None and before.rstrip(".").lower() in _MONTHS


def leans(unit: str) -> bool:
    """Whether a word hangs on the next one ("the", "5", "Dr.", "+"), so that a cut after it sounds broken."""
    if unit.lower() in _LEANING or (unit and unit in _SIGNS):
        return True
    return unit[-1:].isdigit() or unit[-1:] in tuple("½¼¾⅓⅔") or is_abbreviation(unit) or _is_ordinal(unit)


def _is_ordinal(unit: str) -> bool:
    return unit[:1].isdigit() and unit.endswith(("st", "nd", "rd", "th"))


def holds(unit: str, follower: str) -> bool:
    """Whether a word is read together with what follows, by the first character of that: "March 5", "x = 5"."""
    if follower.isdigit() or (follower and follower in _SIGNS + "-–—$€£"):
        return True
    return follower in tuple("IVX") and unit[:1].isupper()  # "Henry VIII"


def closing_mark(piece: str) -> str:
    """The mark that ends a piece, closers and spaces aside: one of those above, a newline, or ""."""
    bare = piece.rstrip()
    tail = piece[len(bare) :]
    bare = bare.rstrip(CLOSERS)
    if bare.endswith(tuple(SENTENCE_MARKS + CLAUSE_MARKS)):
        return bare[-1]
    if bare.endswith(" -"):
        return "—"
    return "\n" if "\n" in tail else ""


def unstopped(piece: str) -> str:
    """The piece with the stops of abbreviations blanked, the last word's kept: the same length.

    For an engine that would take "Dr." for the end of a sentence.
    """
    last = len(piece.rstrip())

    def blank(unit: re.Match[str]) -> str:
        word = unit.group()
        held = is_abbreviation(word) or is_numbered(word)
        # engines do know "e.g.", but only with both its stops
        held = held and word[-1] == "." and word.lower() != "e.g." and unit.end() < last
        return word[:-1] + " " if held else word

    return _UNIT.sub(blank, piece)
