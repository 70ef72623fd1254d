"""What was said against what was heard: the words of both, and how many of them are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from training.evaluate import edits
from tts.spoken import spoken

UNITS = ("met", "kilomet", "centimet", "millimet", "lit", "millilit")
SPELLINGS = {f"{unit}re{plural}": f"{unit}er{plural}" for unit in UNITS for plural in ("", "s")}
DRAWS = 10_000

_normal = EnglishTextNormalizer(SPELLINGS)
_TOKEN = re.compile(r"\d|[^\W\d_]+|(?<=\d)\.(?=\d)|[$¢€£%]")


def words(text: str) -> list[str]:
    """The words of an English text, however it is written: "It's 7:30" and "it is seven thirty" have the same.

    Numbers and signs are written out, then Whisper's own normaliser takes away case, marks and contractions. It
    writes numbers in digits; each digit is a word, because "7 30" and "730" sound alike.
    """
    text = re.sub(r"(?<=\d) ?[x×] ?(?=\d)", " times ", text)  # how Whisper writes "seven times eight"
    plain = _normal("".join(unit.spoken for unit in spoken(text)))
    return _TOKEN.findall(re.sub(r"\bone(s?)\b", r"1\1", plain))  # the normaliser leaves a lone 1 in letters


def wrong(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words that have to be replaced, left out or put in to make one of the other."""
    return edits(list(said), list(heard))


def percent(counts: Sequence[tuple[int, int]]) -> float:
    """Of all words, how many are wrong, from each sentence's (wrong, words). More than 100 where many were put in."""
    return 100 * sum(wrong for wrong, _ in counts) / sum(words for _, words in counts)


def interval(counts: Sequence[tuple[int, int]], seed: int = 0) -> tuple[float, float]:
    """In what range 95% of the percentages lie if the sentences are drawn anew: a bootstrap over sentences."""
    table = np.array(counts)
    drawn = table[np.random.default_rng(seed).integers(len(table), size=(DRAWS, len(table)))].sum(axis=1)
    low, high = np.percentile(100 * drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    return float(low), float(high)
