"""Levels and probabilities in, probabilities out."""

import numpy as np
import pytest

from streaming.near import Nearness, level_db


def test_level_is_that_of_the_frame():
    tone = np.sin(2 * np.pi * 250 * np.arange(512) / 16_000).astype(np.float32)
    assert level_db(tone) == pytest.approx(-3.0, abs=0.1) and level_db(0.1 * tone) == pytest.approx(-23.0, abs=0.1)
    assert level_db(np.zeros(512, np.float32)) == -100.0


def test_everybody_is_heard_before_anybody_was_answered():
    near = Nearness()
    assert [near.step(-60.0, 0.9) for _ in range(10)] == [0.9] * 10


def test_a_voice_further_away_is_let_pass_and_ours_is_not():
    near = Nearness()
    near.answered(-20.0)
    assert [near.step(-42.0, 0.9) for _ in range(20)] == [0.0] * 20
    assert near.step(-25.0, 0.9) == 0.9
    assert near.step(-45.0, 0.9) == 0.9  # a soft sound within a word
    assert near.step(-42.0, 0.1) == 0.1  # no voice at all


def test_who_has_stepped_back_is_heard_again_after_a_while():
    near = Nearness()
    near.answered(-20.0)
    heard = [near.step(-38.0, 0.9) > 0 for _ in range(200)]
    assert not any(heard[:30]) and heard[-1]
    near.answered(-38.0)
    assert near.step(-45.0, 0.9) == 0.9


def test_the_speakers_level_is_learned_slowly():
    near = Nearness()
    near.answered(-20.0)
    near.answered(-30.0)
    assert near.speaker_db == pytest.approx(-25.0)
