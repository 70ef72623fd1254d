"""The voice without a model keeps the contract of every voice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.tone import Tone
from tts.voice import SpeechChunk


def say(text: str) -> list[SpeechChunk]:
    chunks: list[SpeechChunk] = []

    def emit(chunk: SpeechChunk) -> bool:
        chunks.append(chunk)
        return True

    Tone().say(text, emit)
    return chunks


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


def test_it_stops_when_nobody_wants_more() -> None:
    taken: list[SpeechChunk] = []

    def emit(chunk: SpeechChunk) -> bool:
        taken.append(chunk)
        return len(taken) < 3

    Tone().say("one two three", emit)
    assert len(taken) == 3


def test_what_emit_raises_comes_out() -> None:
    def emit(chunk: SpeechChunk) -> bool:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        Tone().say("one", emit)
