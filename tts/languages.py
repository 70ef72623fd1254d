"""Which language a text is in, as far as it can be told."""

from functools import cache

from py3langid.langid import LanguageIdentifier

# Only these are told apart: among all that py3langid knows, a short text resembles one that nobody meant.
SPOKEN = {
    **{tag: tag for tag in ("de", "es", "it", "nl", "sv", "da", "fi", "pl", "cs", "tr", "ru", "uk", "el", "he")},
    **{tag: tag for tag in ("ar", "hi", "ja", "ko", "hu", "ro", "vi", "id")},
    "en": "en-us",
    "fr": "fr",
    "pt": "pt-br",
    "zh": "cmn",
}
"""Language -> the name of its espeak-ng voice."""
SURE = 0.9
WORDS = 3  # "Taxi, hotel" may be any; not counted where words are not parted
UNPARTED = ("zh", "ja")


def language_of(text: str) -> str | None:
    """One of `SPOKEN`, or None where it is not clear."""
    found, probability = identifier().classify(text)
    if probability < SURE or (found not in UNPARTED and len(text.split()) < WORDS):
        return None
    return str(found)


@cache
def identifier() -> LanguageIdentifier:
    """Loaded once, in half a second."""
    from py3langid.langid import MODEL_FILE

    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    made.set_languages(list(SPOKEN))
    return made
