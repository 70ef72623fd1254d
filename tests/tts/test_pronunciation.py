"""The phonemes of a text, and where among them each word ends."""

import re
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engine import Setting, engine, phonemes
from tts.pronunciation import Pronunciation, pronounce


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


@given(st.text("ab  ", min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=6), st.integers(1, 12))
def test_what_is_cut_is_the_same_when_it_is_joined(symbols: str, ends: list[int], longest: int) -> None:
    whole = Pronunciation(symbols, tuple(sorted(min(end, len(symbols)) for end in ends)))
    pieces = list(whole.cut(longest))
    assert "".join(piece.symbols for piece in pieces) == symbols
    assert all(len(piece.symbols) <= longest for piece in pieces)
    begins = [0, *accumulate(len(piece.symbols) for piece in pieces)]
    again = [begin + end for begin, piece in zip(begins, pieces, strict=False) for end in piece.ends]
    assert tuple(again) == whole.ends
    assert all(0 <= end <= len(piece.symbols) for piece in pieces for end in piece.ends)


def test_it_is_cut_between_words_where_that_can_be() -> None:
    pieces = list(Pronunciation("ab cdef ghijklm", (2, 7, 15)).cut(9))
    assert [(piece.symbols, piece.ends) for piece in pieces] == [("ab cdef ", (2, 7)), ("ghijklm", (7,))]


def test_an_endless_word_does_not_end_the_process() -> None:
    assert len(ipa("A." * 20_000)) > 10_000
