"""What people type, in the plain words that a small model was taught: pure, text -> text.

A checkpoint that needs it says so in its own config (`"plain_words": true`, as `mini` does). Others read what is typed.
"""

from __future__ import annotations

import re
import unicodedata

SIGNS: dict[str | int, str | int | None] = {
    **dict.fromkeys("×✕✖⨯·⋅∙•", "x"),
    **dict.fromkeys("−–—‐‑‒―", "-"),
    **dict.fromkeys("‘’‚‛ʼ´`′", "'"),
    **dict.fromkeys('“”„‟«»"!¡()[]', " "),
    "²": " squared", "³": " cubed", "¿": " ", "…": "...", "➕": "+", "➖": "-", "÷": "/",
}  # fmt: skip
SPELLED = {
    r"\b(who|how|where|when|it|that|here|there)'s\b": r"\1 is",
    r"'re\b": " are",
    r"'m\b": " am",
    r"\s*=[\s=?.]*$": "",  # "7 x 8 ="
    r"(?<=[a-z]) ?\* ?(?=[a-z])": " x ",
    r"(?<=\d{3})[-./](?=\d)|(?<=\d)[-./](?=\d{3})": ", ",  # a telephone number
    r" ?%": " percent",
    r"([?.,])(?:\s*[?.])+$": r"\1",  # "what??"
}
UNSEEN = ("So", "Sk", "Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp")  # categories: pictures, and what only steers them


def plain(text: str) -> str:
    """Lower case, on one line, with the signs of a typewriter; pictures and emphasis are left out.

    What has no plain form stays as it is, so that a model can say that it did not understand it.
    """
    text = unicodedata.normalize("NFC", text).translate(str.maketrans(SIGNS))
    text = "".join(map(_typewritten, text)).lower()
    for form, words in SPELLED.items():
        text = re.sub(form, words, text)
    return " ".join(text.split())


def _typewritten(character: str) -> str:
    category = unicodedata.category(character)
    if category in UNSEEN or category == "Mn":
        return " " if category != "Mn" else ""
    if category in ("Nd", "Ll", "Lu", "Po", "Zs", "Sm"):  # of full width, or with an accent
        folded = unicodedata.normalize("NFKD", character)
        if folded.isascii() or category[0] == "L":
            return "".join(c for c in folded if unicodedata.category(c) != "Mn")
    return character
