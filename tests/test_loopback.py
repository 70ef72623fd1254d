"""The terminal's own loudspeaker in its own microphone, without devices."""

import numpy as np
import pytest

from streaming.aec import EchoCanceller
from streaming.audio import AudioChunk
from voicechat.terminal.loopback import Loopback

RATE, BLOCK = 16_000, 320
pytestmark = pytest.mark.skipif(not EchoCanceller.available, reason="pip install livekit")


def voice(seconds, seed=1):
    n = round(seconds * RATE)
    syllables = np.clip(np.sin(np.arange(n) * 2 * np.pi * 4 / RATE), 0, 1)
    return (0.3 * syllables * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def cleaned(played, heard, blocks_each_time=1, drop=0.0):
    """The microphone's blocks after the loudspeaker's, which come a few at a time."""
    loopback, out, dice = Loopback(RATE), [], np.random.default_rng(0)
    for at in range(0, len(played), BLOCK * blocks_each_time):
        for one in range(at, min(at + BLOCK * blocks_each_time, len(played)), BLOCK):
            if dice.random() >= drop:
                loopback.play(played[one : one + BLOCK])
        for one in range(at, min(at + BLOCK * blocks_each_time, len(played)), BLOCK):
            out.append(loopback.clean(AudioChunk(heard[one : one + BLOCK], RATE, one / RATE)))
    assert [c.start_s for c in out] == pytest.approx([n * BLOCK / RATE for n in range(len(out))])
    return np.concatenate([chunk.samples for chunk in out])


def late(samples, seconds):
    n = round(seconds * RATE)
    return 0.5 * np.concatenate((np.zeros(n, np.float32), samples[:-n]))


@pytest.mark.parametrize("blocks_each_time", [1, 4])
def test_its_echo_is_gone(blocks_each_time):
    played = voice(6.0)
    out = cleaned(played, late(played, 0.15), blocks_each_time)
    assert np.abs(out[2 * RATE :]).mean() < 0.03 * np.abs(played).mean()


def test_who_hears_nothing_of_it_is_left_alone():
    said = voice(4.0, 2)
    assert np.array_equal(cleaned(voice(4.0), said), said)


def test_a_loudspeaker_that_runs_dry_now_and_then_is_found_again():
    played = voice(12.0)
    out = cleaned(played, late(played, 0.2), drop=0.002)
    assert np.abs(out[2 * RATE :]).mean() < 0.2 * np.abs(played).mean()


def test_what_the_loudspeaker_is_ahead_by_is_given_up():
    loopback = Loopback(RATE)
    for _ in range(1000):
        loopback.play(voice(0.02))
    loopback.clean(AudioChunk(np.zeros(BLOCK, np.float32), RATE, 0.0))
    assert len(loopback._rest) < RATE


def test_both_devices_have_rates_of_their_own():
    loopback = Loopback(48_000)
    loopback.play(np.zeros(960, np.float32))
    chunks = [loopback.clean(AudioChunk(np.zeros(882, np.float32), 44_100, n / 50)) for n in range(50)]
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(RATE, abs=400)
    assert all(chunk.rate == RATE for chunk in chunks)
