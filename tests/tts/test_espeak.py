"""The embedded voice: quick, stoppable, aligned, and one engine for many threads."""

import ctypes
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.espeak import Espeak
from tts.voice import SpeechChunk, VoiceError

RATE = 22_050


def say(text: str, voice: Espeak | None = None) -> list[SpeechChunk]:
    return list((voice or Espeak()).say(text))


def sound(text: str, voice: Espeak | None = None) -> npt.NDArray[np.float32]:
    return np.concatenate([chunk.samples for chunk in say(text, voice)])


def ends(text: str) -> dict[str, float]:
    """Seconds at which each stretch of text has been heard."""
    at, heard = 0.0, {}
    for chunk in say(text):
        at += chunk.seconds
        if chunk.text:
            heard[chunk.text] = at
    return heard


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60) | st.text(st.sampled_from("Hi Dr. 5,0 — …!?\n*`é日本。"), max_size=60))
def test_texts_add_up(text: str) -> None:
    chunks = say(text)
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(chunk.samples.dtype == np.float32 and chunk.samples.ndim == 1 for chunk in chunks)
    assert all(len(chunk.samples) <= RATE * 0.04 and np.abs(chunk.samples).max(initial=0) <= 1 for chunk in chunks)


def test_the_first_chunk_comes_within_5_ms() -> None:
    voice = Espeak()
    say("Warm up.", voice)
    waits = []
    for _ in range(20):
        start = time.perf_counter()
        next(voice.say("Well, I hear a dog barking, and behind it there is traffic."))
        waits.append(time.perf_counter() - start)
    assert min(waits) < 0.005


def test_speech_has_a_plausible_length_and_loudness() -> None:
    samples = sound("The quick brown fox jumps over the lazy dog.")
    assert 2.0 < len(samples) / RATE < 4.0
    assert 0.03 < float(np.sqrt(np.mean(samples**2))) < 0.3
    faster = sound("The quick brown fox jumps over the lazy dog.", Espeak(speed=250))
    assert len(faster) < 0.85 * len(samples)


def test_speech_starts_at_once_and_pauses_are_short() -> None:
    for text, pause in [("Well, ", 0.12), ("Well. ", 0.25), ("He ran and ", 0.0)]:
        loud = np.flatnonzero(np.abs(sound(text)) > 4 / 32768)
        assert loud[0] / RATE < 0.01
        assert (len(sound(text)) - loud[-1]) / RATE == pytest.approx(pause, abs=0.02)


def test_words_are_told_when_they_have_ended() -> None:
    heard = ends("One thousand dogs, at 10:30, saw 1,000 cats.")
    assert list(heard) == ["One ", "thousand ", "dogs, ", "at ", "10:30, ", "saw ", "1,000 ", "cats."]
    silence = ends("Yes.")
    assert silence["Yes."] < sum(chunk.seconds for chunk in say("Yes.")) - 0.15, "told before the pause"
    both = ends("Hello world.")
    alone = sum(chunk.seconds for chunk in say("Hello "))
    assert 0.5 * alone < both["Hello "] < alone, "a word is shorter inside a clause"


def test_marks_and_emoji_are_told_but_not_spoken() -> None:
    assert len(sound("**Hello** _world_ 😀")) == pytest.approx(len(sound("Hello world")), rel=0.03)
    silent = say("... 😀 — \n")
    assert sum(len(chunk.samples) for chunk in silent) == 0
    assert say("") == []


@pytest.mark.parametrize("text", ["A." * 400, "\u28fe", "a" * 200, "\x01\x1b[0m", "日" * 80 + "."])
def test_text_that_is_hard_on_the_engine(text: str) -> None:
    assert "".join(chunk.text for chunk in say(text)) == text


def test_abbreviations_do_not_stop_the_voice() -> None:
    assert len(sound("Dr. Smith")) == pytest.approx(len(sound("Doctor Smith")), rel=0.02)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It is 2 - 1.", "It is two minus one."),
        ("Henry VIII paid $3.50 for 5 km.", "Henry the Eighth paid three dollars and fifty cents for five kilometres."),
        ("St. Paul is on Main St.", "Saint Paul is on Main Street."),
    ],
)
def test_english_is_written_out(written: str, said: str) -> None:
    assert len(sound(written)) == pytest.approx(len(sound(said)), rel=0.02)
    assert len(sound(written, Espeak("en-gb+f2"))) == pytest.approx(len(sound(said, Espeak("en-gb+f2"))), rel=0.02)


def test_what_is_written_out_is_told_when_its_last_word_has_ended() -> None:
    heard = ends("On March 5, 2024, **it** cost $3.50 😀 in all.")
    assert list(heard) == ["On ", "March ", "5, ", "2024, ", "**it** ", "cost ", "$3.50 😀 ", "in ", "all."]
    money = heard["$3.50 😀 "] - heard["cost "]
    assert money > 3 * (heard["in "] - heard["$3.50 😀 "])


def test_a_voice_left_in_the_middle_holds_up_neither_itself_nor_another() -> None:
    voice, text = Espeak(), "A long sentence, with a good many clauses, that nobody wants to hear."
    left = voice.say(text)
    begun = [next(left), next(left)]
    for other in (voice, Espeak("en-gb+f2")):
        with ThreadPoolExecutor() as pool:
            chunks = pool.submit(say, "Meanwhile, something else.", other).result(timeout=10)
        assert "".join(chunk.text for chunk in chunks) == "Meanwhile, something else."
    assert "".join(chunk.text for chunk in [*begun, *left]) == text


def test_voices_in_two_threads_do_not_mix() -> None:
    # The engine's noise differs a little from call to call, so length and spectrum stand for the sound.
    texts = ["One dog barks at night, and two cats listen.", "A violin plays slowly, then a drum."]
    speakers = [Espeak("en-us"), Espeak("en-gb+f2", speed=220, pitch=70)]
    alone = [len(sound(text, voice)) for text, voice in zip(texts, speakers, strict=True)]
    together: list[list[tuple[str, int]]] = [[], []]

    def speak(index: int) -> None:
        for _ in range(15):
            chunks = say(texts[index], speakers[index])
            length = sum(len(chunk.samples) for chunk in chunks)
            together[index].append(("".join(chunk.text for chunk in chunks), length))

    threads = [threading.Thread(target=speak, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in (0, 1):
        assert [text for text, _ in together[index]] == [texts[index]] * 15
        assert all(length == pytest.approx(alone[index], rel=0.01) for _, length in together[index])


def test_languages_sound_different() -> None:
    assert len(sound("Guten Morgen", Espeak("de"))) != len(sound("Guten Morgen", Espeak("en-us")))


@pytest.mark.parametrize("options", [{"speed": 20}, {"speed": 1000}, {"pitch": -1}, {"pitch": 100}])
def test_options_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(VoiceError, match=r"80\.\.450"):
        Espeak(**options)


def test_what_was_said_leaves_no_types_behind() -> None:
    """A ctypes type lives for ever, and sounds have many lengths."""
    sound("Once, so that everything is there.", Espeak("en-us"))
    before = len(ctypes._pointer_type_cache)
    for number in range(20):
        sound(f"{number} and {number * 7919}", Espeak("en-us"))
    assert len(ctypes._pointer_type_cache) == before
