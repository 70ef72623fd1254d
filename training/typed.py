"""The same lines as people type them: capitals, question marks, numerals and signs."""

from __future__ import annotations

import random
import re

from training.curriculum import UNITS, Line

SIGNS = {"plus": "+", "minus": "-", "times": "x"}


def as_typed(line: Line, rng: random.Random) -> str:
    text = line.said
    if line.skill in ("sums", "digits") and rng.random() < 0.5:
        text = _numerals(text, together=line.skill == "digits" and rng.random() < 0.6)
        if line.skill == "sums" and rng.random() < 0.5:
            text = re.sub(r"\b(plus|minus|times)\b", lambda m: rng.choice((SIGNS[m[0]], m[0])), text)
            if rng.random() < 0.3:
                text = re.sub(r"(\d) ([-+x]) (\d)", lambda m: m[1] + m[2].replace("x", rng.choice("x*")) + m[3], text)
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
    asks = re.match(r"(?i)(what|who|how|can|do|is|are|where|which|may|could|when|will)\b", text)
    return text + rng.choice(("", "?", "?") if asks else ("", ".", ""))


def _numerals(text: str, together: bool) -> str:
    text = re.sub(r"[a-z]+", lambda m: str(UNITS.index(m[0])) if m[0] in UNITS[:13] else m[0], text)
    if together:
        text = re.sub(r"(?<=\d),? (?=\d\b)", "", text)
    return text
