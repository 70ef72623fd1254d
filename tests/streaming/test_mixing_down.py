"""Several channels -> one: nothing is lost, and what is heard neither jumps nor changes its polarity."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio import CANCELLED, AudioChunk, MixDown, Resampler
from streaming.files import read_audio
from tests.speech import say
from voicechat.terminal.wire import Upload

RATE = 16_000
gains = st.floats(-1, 1).filter(lambda gain: gain == 0 or abs(gain) > 1e-3)


@cache
def voice(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Something that comes and goes as syllables do, float32 [n]."""
    at = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    carrier = sum(np.sin(2 * np.pi * 140 * k * at + rng.uniform(0, 6)) / k for k in range(1, 12))
    return (0.2 * carrier * np.sin(2 * np.pi * 2 * at) ** 2).astype(np.float32)


def mixed(channels: np.ndarray, size: int = 320, rate: int = RATE) -> np.ndarray:
    """[n, channels] -> [n], pushed in pieces of `size`."""
    mix = MixDown(rate)
    return np.concatenate([mix.push(channels[at : at + size]) for at in range(0, len(channels), size)])


def energy(samples: np.ndarray) -> float:
    return float(np.sum(samples.astype(np.float64) ** 2))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8), st.integers(1, 400), st.integers(0, 2**32 - 1), st.data())
def test_energy_is_never_lost(channels: int, size: int, seed: int, data: st.DataObject) -> None:
    """Of any sound: at least a quarter of what is left of channels that have nothing to do with each other."""
    sources = np.random.default_rng(seed).uniform(-1, 1, (size, 3))
    wiring = np.array(
        data.draw(st.lists(st.lists(gains, min_size=channels, max_size=channels), min_size=3, max_size=3))
    )
    samples = (sources @ wiring).astype(np.float32)
    assert energy(MixDown(RATE).push(samples)) >= 0.999 * CANCELLED * energy(samples) / channels**2


@settings(max_examples=40, deadline=None)
@given(st.lists(gains, min_size=1, max_size=8), st.sampled_from([7, 160, 333, 4_000]))
def test_however_one_voice_is_wired_none_of_it_is_lost(wiring: list[float], size: int) -> None:
    said = voice()
    samples = (said[:, None] * np.array(wiring)).astype(np.float32)
    heard = mixed(samples, size)
    assert energy(heard) >= 0.999 * CANCELLED * energy(samples) / len(wiring) ** 2
    if len({np.sign(gain) for gain in wiring if gain}) < 2:  # ordinary: all of one polarity
        np.testing.assert_allclose(heard, said * np.mean(wiring), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_ordinary_stereo_is_the_mean_of_its_channels(left: float, right: float, seed: int) -> None:
    """Voices panned anywhere, and room of its own on either side."""
    room = np.random.default_rng(seed).normal(0, 0.05, (2 * RATE, 2))
    one, other = voice(seed=1), voice(seed=2)
    samples = one[:, None] * [left, 1 - left] + other[:, None] * [right, 1 - right] + room
    np.testing.assert_allclose(mixed(samples.astype(np.float32)), samples.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("size", [160, 320, 65_536])
@pytest.mark.parametrize("wiring", [[1, -1], [1, -0.5], [-0.5, 1], [0.3, 0.3, -0.7], [1, 1, 1, -1, -1, -1, -1]])
def test_opposite_polarity_is_heard_from_the_first_sample(wiring: list[float], size: int) -> None:
    said = voice()
    heard = mixed((said[:, None] * np.array(wiring)).astype(np.float32), size)
    gain = heard @ said / (said @ said)
    np.testing.assert_allclose(heard, gain * said, atol=1e-5)
    assert abs(gain) > 0.25


@pytest.mark.parametrize("soft", [-1.0, -0.8, -0.6])
def test_a_voice_over_the_hum_of_a_device_neither_jumps_nor_changes_its_polarity(soft: float) -> None:
    """The hum is the same in both channels; the voice, which comes later, is not."""
    at = np.arange(2 * RATE) / RATE
    hum, said = 0.002 * np.sin(2 * np.pi * 50 * at), np.concatenate([np.zeros(RATE), voice(1.0)])
    heard = mixed(np.stack([said + hum, soft * said + hum], axis=1).astype(np.float32))
    assert energy(heard[RATE:]) > 0.2 * energy(said)
    for block in range(RATE, 2 * RATE, 320):  # each piece has the polarity of the louder channel
        piece, truth = heard[block : block + 320], said[block : block + 320]
        if energy(truth) > 0.1:
            assert piece @ truth > 0
    assert np.abs(np.diff(heard)).max() < 1.1 * np.abs(np.diff(said)).max()


def test_a_silent_channel_takes_half() -> None:
    said = voice()
    np.testing.assert_allclose(mixed(np.stack([said, 0 * said], axis=1)), said / 2, atol=1e-6)


def test_nothing_is_remembered_of_what_is_no_sound() -> None:
    mix = MixDown(RATE)
    mix.push(np.full((320, 2), np.nan, np.float32))
    mix.push(np.full((320, 2), np.inf, np.float32))
    said = voice()
    np.testing.assert_allclose(mix.push(np.stack([said, -said], axis=1)), said, atol=1e-6)


def test_the_number_of_channels_may_change() -> None:
    mix, said = MixDown(RATE), voice()
    for channels in ([1, -1], [1], [1, 1, 1], [1, -1]):
        heard = mix.push((said[:, None] * np.array(channels)).astype(np.float32))
        assert energy(heard) > 0.1 * energy(said)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_speech_on_a_balanced_cable_is_heard_everywhere(tmp_path: Path, subtype: str) -> None:
    said = 0.5 * say("what is seven times eight")
    both = np.stack([said, -said], axis=1)
    soundfile.write(tmp_path / "a.wav", both, RATE, subtype=subtype)
    heard = read_audio(tmp_path / "a.wav").samples
    np.testing.assert_allclose(heard, said, atol=1e-4)

    resampler, upload = Resampler(RATE), Upload(0.02)
    pieces = [both[at : at + 320].astype(np.float32) for at in range(0, len(both), 320)]
    np.testing.assert_allclose(np.concatenate([resampler.push(piece) for piece in pieces]), said, atol=1e-4)
    sent = [*(upload.push(AudioChunk(piece, RATE)) for piece in pieces), upload.flush()]
    assert energy(np.concatenate(sent)) == pytest.approx(1.5 * energy(said), rel=0.1)
