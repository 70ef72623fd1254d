"""The phonemes of a text, and where among them each word ends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engine import Setting, engine, phonemes
from tts.pronunciation import pronounce


def ipa(text: str) -> str:
    return phonemes(Setting(engine().languages["en-us"], 165, 50), text)


def units(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def ended(text: str) -> dict[str, str]:
    """By word: what is pronounced when it has ended."""
    words = units(text)
    made = pronounce(words, ipa)
    return {word: made.symbols[:end] for word, end in zip(words, made.ends, strict=True)}


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Seven times eight is fifty-six.", "sˈɛvən tˈaɪmz ˈeɪt ɪz fˈɪftisˈɪks."),
        ("Yes, it is!", "jˈɛs, ɪɾ ˈɪz!"),
        ("Really?", "ɹˈiəli?"),
        ("and then", "ænd ðˈɛn,"),  # nothing has ended yet
        ("Well… no", "wˈɛl. nˈoʊ,"),
        ("“Stop!” he said.", "stˈɑːp! hiː sˈɛd."),
        ("3.5 of them", "θɹˈiː pɔɪnt fˈaɪv ʌv ðˌɛm,"),
        ("", ""),
        ("...", ""),
        ("?! , ;", ""),
    ],
)
def test_symbols(text: str, symbols: str) -> None:
    assert pronounce(units(text), ipa).symbols == symbols


def test_each_word_ends_with_its_last_sound() -> None:
    assert ended("Hello there, my friend.") == {
        "Hello ": "həlˈoʊ",
        "there, ": "həlˈoʊ ðˈɛɹ",
        "my ": "həlˈoʊ ðˈɛɹ, maɪ",
        "friend.": "həlˈoʊ ðˈɛɹ, maɪ fɹˈɛnd",
    }


def test_words_that_are_joined_end_inside() -> None:
    """espeak-ng says "of the" and "in the" as one word each."""
    made = ended("The scattering of the light in the air.")
    assert made["of "].endswith("ʌv") and made["the "].endswith("ɪnðɪ") and made["light "].endswith("lˈaɪt")
    assert made["in "].endswith("ɪn")


def test_a_word_that_is_spelt_out_ends_with_its_last_letter() -> None:
    made = ended("The USB stick is here.")
    assert made["USB "].endswith("bˈiː") and made["stick "].endswith("stˈɪk") and made["is "].endswith("ɪz")


def test_a_unit_without_a_sound_ends_where_the_one_before_it_did() -> None:
    made = pronounce(["one ", "— ", "two ", "  ", "three."], ipa)
    assert made.ends == (3, 3, 9, 9, 14) or list(made.ends) == sorted(made.ends)


@given(st.lists(st.text(st.sampled_from("ab .,?!\n1é…-'\"(")), max_size=8))
def test_whatever_it_is_the_ends_never_fall_and_stay_inside(words: list[str]) -> None:
    made = pronounce(words, ipa)
    assert len(made.ends) == len(words)
    assert list(made.ends) == sorted(made.ends)
    assert all(0 <= end <= len(made.symbols) for end in made.ends)
