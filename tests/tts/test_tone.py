"""The voice without a model keeps the contract of every voice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tts.tone import Tone
from tts.voice import SpeechChunk


def say(text: str) -> list[SpeechChunk]:
    return list(Tone().say(text))


@given(st.text(max_size=60))
def test_texts_add_up(text: str) -> None:
    assert "".join(chunk.text for chunk in say(text)) == text


def test_a_word_is_80_ms_and_its_text_comes_with_its_end() -> None:
    chunks = say("Hello, big world!")
    assert [chunk.seconds for chunk in chunks] == [0.02] * 12
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello, ", "big ", "world!"]
    assert chunks[3].text == "Hello, "
    assert all(chunk.samples.dtype == np.float32 and chunk.rate == 16_000 for chunk in chunks)


def test_same_words_sound_the_same_and_others_do_not() -> None:
    one, other = (np.concatenate([chunk.samples for chunk in say(text)]) for text in ("dog dog", "dog cat"))
    assert np.array_equal(one[:1280], one[1280:])
    assert np.array_equal(one[:1280], other[:1280]) and not np.array_equal(one, other)
