"""English as Kokoro was taught it: espeak-ng's phonemes in the notation of misaki, which made its training texts.
https://github.com/hexgrad/misaki
"""

import re

# A diphthong and an affricate are one symbol.
_BOTH = {
    "aɪ": "I", "aʊ": "W", "eɪ": "A", "ɔɪ": "Y", "e": "A", "dʒ": "ʤ", "tʃ": "ʧ", "ɚɹ": "əɹ", "ɚ": "əɹ",
    "r": "ɹ", "x": "k", "ɬ": "l", "ɐ": "ə", "ʔ": "t", "ʔn\u0329": "tᵊn", "n\u0329": "ᵊn", "l\u0329": "ᵊl",
}  # fmt: skip
_TABLES = {
    "en-us": _BOTH | {"oʊ": "O", "o": "ɔ", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""},
    "en-gb": _BOTH | {"əʊ": "Q", "eə": "ɛː", "iə": "ɪə"},
}
_ANY = {language: re.compile("|".join(sorted(table, key=len, reverse=True))) for language, table in _TABLES.items()}


def noted(phonemes: str, language: str) -> str:
    """Phonemes of espeak-ng (NFD) in Kokoro's notation; `language` is `en-us` or `en-gb`. Spaces stay as they are."""
    table = _TABLES[language]
    return _ANY[language].sub(lambda found: table[found.group()], phonemes)
