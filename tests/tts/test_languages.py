"""Which language a text is in, and a voice that leaves the others to espeak-ng."""

from itertools import pairwise

import numpy as np
import pytest
import soxr

from tts.engine import engine
from tts.espeak import Espeak
from tts.following import Following
from tts.languages import SPOKEN, language_of
from tts.resampled import Resampled
from tts.voice import SpeechChunk


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The sky is blue because of the scattering of light.", "en"),
        ("I heard a siren, a dog and a cello.", "en"),
        ("Two plus two equals four, and Paris is in France.", "en"),
        ("Der Himmel ist blau, weil das Licht gestreut wird.", "de"),
        ("Le ciel est bleu parce que la lumière est diffusée.", "fr"),
        ("Hola, ¿cómo estás hoy?", "es"),
        ("O céu é azul por causa da luz.", "pt"),
        ("Привет, как твои дела сегодня?", "ru"),
        ("你好，今天怎么样？", "zh"),
        ("こんにちは、元気ですか。", "ja"),
        ("Himlen är blå för att ljuset sprids.", "sv"),
    ],
)
def test_a_sentence(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["", " ", "Yes.", "Go on.", "42", "OK", "No problem, amigo!", "Taxi Restaurant Hotel", "12 kg × 3 m",
             "C'est la", "Guten Tag", "Beethoven's Für Elise in A minor by Ludwig van Beethoven.",
             "You wrote: hola amigo."],
)  # fmt: skip
def test_not_clear_or_not_foreign(text):
    assert language_of(text) in (None, "en")


def test_espeak_speaks_them_all():
    assert set(SPOKEN.values()) <= set(engine().languages)


class Own:
    """A voice that is known by its sound."""

    name, rate = "own", Espeak.rate

    def say(self, text):
        yield SpeechChunk(np.full(10, 0.5, np.float32), self.rate, text)


def said(voice, text):
    chunks = list(voice.say(text))
    assert "".join(chunk.text for chunk in chunks) == text and all(chunk.rate == voice.rate for chunk in chunks)
    return np.concatenate([chunk.samples for chunk in chunks])


def test_another_language_is_spoken_by_another_voice():
    voice = Following(Own(), "en-us")
    german = "Der Himmel ist blau, weil das Licht gestreut wird."
    assert (voice.name, voice.rate) == ("own", Espeak.rate)
    sound = said(voice, german)
    assert len(sound) == pytest.approx(len(said(Espeak("de"), german)), rel=0.02) and not (sound == 0.5).any()
    for text in ("The sky is blue because of it.", "Ja.", "42"):
        assert (said(voice, text) == 0.5).all()
    assert (said(Following(Own(), "de"), german) == 0.5).all()
    assert len(said(Following(Own(), "en-us", speed=2.0), german)) < 0.7 * len(said(voice, german))


def test_a_voice_at_another_rate_says_all_itself():
    class Slow(Own):
        rate = 16_000

    assert (said(Following(Slow(), "en-us"), "Der Himmel ist blau, weil das Licht gestreut wird.") == 0.5).all()


def test_at_another_rate_a_voice_says_the_same():
    """As one stream: chunks, also empty ones, are not heard."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 10_000).astype(np.float32)

    class Chunked(Own):
        def say(self, text):
            for begin, end in pairwise([0, 0, 700, 705, 705, 5000, 10_000]):
                yield SpeechChunk(sound[begin:end], self.rate, text[begin:end])

    voice = Resampled(Chunked(), 24_000)
    assert (voice.name, voice.rate) == ("own", 24_000)
    assert np.array_equal(said(voice, "a" * 8_000), soxr.resample(sound, Espeak.rate, 24_000))


def test_a_voice_at_another_rate_may_have_others_at_its_own():
    class Fast(Own):
        rate = 24_000

    voice = Following(Fast(), "en-us", others=lambda name, words: Resampled(Espeak(name, words), 24_000))
    assert not (said(voice, "Der Himmel ist blau, weil das Licht gestreut wird.") == 0.5).any()
    assert (said(voice, "The sky is blue because of it.") == 0.5).all()
