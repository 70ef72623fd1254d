"""The phonemes of a text, and where among them each written word ends."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, pairwise

COMPARED = 10**6  # pairs of symbols: the time that a comparison takes grows with them
_WORD = re.compile(r"\S*\w\S*")
_MARKED = re.compile(r"(?P<mark>[.,;:?!…—–。，；：？！、]+)[^\w\s]*(?:\s+|$)")
_LANGUAGE = re.compile(r"\([a-z-]+\)")  # espeak-ng tells in which one it reads a foreign word
_SYMBOLS = {"…": ".", "—": ",", "–": ",", "。": ".", "，": ",", "；": ";", "：": ":", "？": "?", "！": "!", "、": ","}


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """`symbols`: IPA, spaces between words, marks after them. `ends`: for each unit, how many of them it reaches to."""

    symbols: str
    ends: tuple[int, ...]

    def cut(self, longest: int) -> Iterator[Pronunciation]:
        """The same in pieces of at most so many symbols, between words where that can be; a unit goes with its end."""
        begin = first = 0
        while True:
            end = min(begin + longest, len(self.symbols))
            if end < len(self.symbols):
                end = self.symbols.rfind(" ", begin, end) + 1 or end
                until = bisect_right(self.ends, end)
            else:
                until = len(self.ends)
            yield Pronunciation(self.symbols[begin:end], tuple(reach - begin for reach in self.ends[first:until]))
            if end == len(self.symbols):
                return
            begin, first = end, until


def pronounce(units: Sequence[str], phonemes: Callable[[str], str], pending: str = ",") -> Pronunciation:
    """How these units of spoken text, one text when they are joined, are pronounced.

    `phonemes` gives the IPA of a clause, its words parted by spaces; it may join or split words. A text that ends
    without a mark ends with `pending`, so that a voice does not fall as at the end of a sentence.
    """
    text = "".join(units)
    reached = list(accumulate(map(len, units)))  # characters, for each unit
    symbols, ends, unit, begin = "", [], 0, 0
    while begin < len(text):
        found = _MARKED.search(text, begin)
        end = found.end() if found else len(text)
        clause = text[begin : found.start() if found else end]
        ipa = _LANGUAGE.sub("", phonemes(clause)).strip()
        mark = found["mark"][-1] if found else pending
        words = [word.span() for word in _WORD.finditer(clause)]
        at = _word_ends([clause[a:b] for a, b in words], ipa, phonemes)
        while unit < len(units) and reached[unit] <= end:
            spoken = sum(b <= reached[unit] - begin for _, b in words)
            ends.append(len(symbols) + (at[spoken - 1] if spoken else 0))
            unit += 1
        if ipa:
            symbols += f"{ipa}{_SYMBOLS.get(mark, mark)} "
        begin = end
    ends += [len(symbols)] * (len(units) - len(ends))
    return Pronunciation(symbols.rstrip(), tuple(min(end, len(symbols.rstrip())) for end in ends))


def _word_ends(words: list[str], ipa: str, phonemes: Callable[[str], str]) -> list[int]:
    """For each word, where it ends in `ipa`.

    "of the" comes as one word, a name spelt out as several: then each word is pronounced alone, and these
    are laid along the whole.
    """
    tokens = [token.end() for token in re.finditer(r"\S+", ipa)]
    if len(tokens) == len(words):
        return tokens
    alone = [_LANGUAGE.sub("", phonemes(word)).replace(" ", "") for word in words]
    ends = _laid_along("".join(alone), list(accumulate(map(len, alone))), ipa.replace(" ", ""))
    gaps = [at for at, char in enumerate(ipa) if char != " "]
    return [gaps[end - 1] + 1 if end else 0 for end in ends]


def _laid_along(one: str, marks: list[int], other: str) -> list[int]:
    """Positions in `one`, as positions in a text that is like it; they never go back; in proportion if it is long."""
    points = [(0, 0)]
    small = len(one) * len(other) <= COMPARED
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks() if small else ()
    for block in (*blocks, Match(len(one), len(other), 0)):
        points += [(block.a, block.b), (block.a + block.size, block.b + block.size)]
    result = []
    for mark in marks:
        (a, b), (c, d) = next(((p, q) for p, q in pairwise(points) if q[0] >= mark), points[-2:])
        result.append(d if c == a else b + round((mark - a) * (d - b) / (c - a)))
    return result
