"""What to pronounce for a written piece: the same length, so that alignment needs no table."""

import re
import unicodedata

_UNSPOKEN = re.compile(
    r"^[ \t]*(?:#{1,6}|[*+•>-]|\|)(?=\s)"  # headings, bullets, quotations
    r"|^[ \t]*(?:[-*_=] ?){3,}$"  # rules
    r"|^```\w*"  # a fence and its language
    r"|!?\[(?=[^\]\n]*\]\()|(?<=.)\]\([^)\s]*\)"  # [text](url): the text stays
    r"|https?://"
    r"|`+|_+|~~|\|"
    r"|\*+(?=[^\s*])(?<!\d\*)|(?<=[^\s*])\*+(?!\d)",  # emphasis, but 3*4 keeps its sign
    re.MULTILINE,
)
_STRANDED = re.compile(r"(?<! )( ++)([.,;:!?]+)(?=\s|$)")
_SPOKEN_SYMBOLS = "°©®™№"


def speakable(piece: str) -> str:
    """The piece with unspoken marks (Markdown, emoji, link targets) turned into spaces; the same length."""
    spoken = _UNSPOKEN.sub(lambda mark: " " * len(mark.group()), piece)
    if not spoken.isascii() or not spoken.isprintable():
        spoken = "".join(char if _has_sound(char) else " " for char in spoken)
    # "**bold**, next": the comma goes back to its word
    return _STRANDED.sub(r"\2\1", spoken) if spoken != piece else piece


def _has_sound(char: str) -> bool:
    """Not so emoji, controls, and characters that no script has: an engine may even die of those."""
    kind = unicodedata.category(char)
    if kind == "So":
        return char in _SPOKEN_SYMBOLS
    return char in "\n\t" or (kind[0] != "C" and char not in "\u20e3\ufe0e\ufe0f" and not "🏻" <= char <= "🏿")
