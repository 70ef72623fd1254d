"""Loudness: the standard's own figures, and voices that are equally loud."""

import numpy as np
import pytest

from tts.loudness import KNEE, LOUDNESS, gain, limited, loudness
from tts.piper import Piper
from tts.voice import load_voice


def sine(hertz: float, rate: int, seconds: float = 3.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize(("hertz", "lufs"), [(997, -3.01), (100, -4.84), (4000, 0.27)])
def test_sines_of_full_scale(hertz, lufs, rate):
    """The standard: 997 Hz at full scale is -3.01. The others were taken with its filters in the time domain."""
    assert loudness(sine(hertz, rate), rate) == pytest.approx(lufs, abs=0.05)


def test_half_as_high_is_six_decibels_less():
    assert loudness(0.5 * sine(997, 48_000), 48_000) == pytest.approx(-9.03, abs=0.02)


def test_pauses_do_not_count():
    tone = 0.1 * sine(997, 16_000)
    paused = np.concatenate((tone, np.zeros(160_000, np.float32), tone))
    assert loudness(paused, 16_000) == pytest.approx(loudness(tone, 16_000), abs=0.2)


def test_gain():
    tone = 0.02 * sine(500, 22_050)
    assert loudness(tone * np.float32(gain([tone], 22_050)), 22_050) == pytest.approx(LOUDNESS, abs=0.01)
    assert gain([np.zeros(100, np.float32)], 22_050) == 1.0 and loudness(np.zeros(0, np.float32), 22_050) == -np.inf


@pytest.mark.parametrize("name", ["espeak", "espeak:en-us+f3", "espeak:en-gb", "espeak:en-us+m7"])
def test_voices_are_equally_loud(name):
    assert loud(load_voice(name)) == pytest.approx(LOUDNESS, abs=1.5)


def test_the_natural_voice_too(joe):
    assert loud(Piper(joe)) == pytest.approx(LOUDNESS, abs=1.5)


def loud(voice) -> float:
    sentences = ("It's okay to feel tired sometimes.", "Seven times eight is fifty-six.", "Your dog is sick, I think.")
    pieces = [np.concatenate([chunk.samples for chunk in voice.say(sentence)]) for sentence in sentences]
    return float(np.mean([loudness(piece, voice.rate) for piece in pieces]))


def test_peaks_are_bent_and_nothing_else():
    ramp = np.linspace(-3, 3, 601, dtype=np.float32)
    bent = limited(ramp)
    assert np.abs(bent).max() <= 1.0 and (np.diff(bent) >= 0).all()
    inside = np.abs(ramp) <= KNEE
    assert (bent[inside] == ramp[inside]).all() and not (ramp == bent).all()
