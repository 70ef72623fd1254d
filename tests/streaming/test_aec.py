"""The echo of what is played, taken out of what the microphone hears."""

import os
import subprocess
import sys

import numpy as np
import pytest

from streaming.aec import TAIL_S, EchoCanceller

RATE, BLOCK = 16_000, 160
needs_aec3 = pytest.mark.skipif(not EchoCanceller.available, reason="pip install livekit")


def voice(seconds: float, seed: int) -> np.ndarray:
    """Noise with a voice's syllables."""
    n = round(seconds * RATE)
    syllables = np.clip(np.sin(np.arange(n) * 2 * np.pi * 4 / RATE), 0, 1)
    return (0.3 * syllables * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def cancelled(heard: np.ndarray, played: np.ndarray) -> np.ndarray:
    canceller = EchoCanceller(RATE)
    pieces = zip(heard.reshape(-1, BLOCK), played.reshape(-1, BLOCK), strict=True)
    return np.concatenate([canceller.process(*piece) for piece in pieces])


def late(samples: np.ndarray, seconds: float, gain: float) -> np.ndarray:
    n = round(seconds * RATE)
    return (gain * np.concatenate((np.zeros(n), samples[: len(samples) - n]))).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-12))


@needs_aec3
@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("gain_db", [-6, -20])
def test_an_echo_is_gone_and_who_speaks_meanwhile_is_not(delay_s, gain_db):
    played = voice(4.0, 1)
    echo = late(played, delay_s, 10 ** (gain_db / 20))
    said = np.zeros_like(played)
    said[2 * RATE : 3 * RATE] = voice(1.0, 2)
    out = cancelled(echo + said, played)
    alone = slice(RATE, 2 * RATE)
    assert level_db(out[alone]) < min(level_db(echo[alone]) - 20, -50)
    assert level_db(out[2 * RATE : 3 * RATE]) > level_db(said[2 * RATE : 3 * RATE]) - 10


@needs_aec3
def test_the_microphone_is_left_as_it_is_where_nothing_is_played_any_more():
    played, said = voice(4.0, 1), voice(4.0, 2)
    played[2 * RATE :] = 0
    out = cancelled(late(played, 0.1, 0.5) + said, played)
    untouched = round((2 + TAIL_S) * RATE)
    assert np.array_equal(out[untouched:], said[untouched:])


@needs_aec3
def test_who_wears_headphones_is_heard_as_he_speaks():
    """AEC3 alone takes the user's own voice away where there is no echo."""
    played, said = voice(4.0, 1), voice(4.0, 2)
    assert np.array_equal(cancelled(said, played), said)


@needs_aec3
def test_an_echo_that_is_gone_is_noticed():
    canceller = EchoCanceller(RATE)
    played, said = voice(9.0, 1), voice(9.0, 2)
    heard = late(played, 0.05, 0.5)
    heard[2 * RATE :] = said[2 * RATE :]  # the headphones are plugged in
    found = []
    for at in range(0, len(played), BLOCK):
        out = canceller.process(heard[at : at + BLOCK], played[at : at + BLOCK])
        found.append(canceller.echoes)
    assert found[100] and found[200]
    assert not found[-1] and np.array_equal(out, heard[-BLOCK:])


def test_a_rate_that_it_does_not_work_at_is_refused():
    with pytest.raises(ValueError, match="resample to 16000"):
        EchoCanceller(44_100)


SLOW_LOG = """
import logging, time
from streaming.aec import EchoCanceller

def slow(record):
    for _ in range(50):
        time.sleep(0.0005)  # Python takes its lock again after each

logging.getLogger("livekit").addFilter(slow)
logging.getLogger("livekit").setLevel(logging.DEBUG)
EchoCanceller.load()
"""


@needs_aec3
def test_python_ends_while_livekit_logs():
    """One in eighty ended with SIGABRT: a thread of livekit's was met in a call to Python."""
    ended = subprocess.run(
        [sys.executable, "-c", SLOW_LOG],
        env=os.environ | {"LIVEKIT_RTC_DEBUG": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
