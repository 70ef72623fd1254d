"""What is being played, sample by sample beside the microphone."""

import numpy as np

from voicechat.events import Spoken
from voicechat.reference import Reference

RAMP = np.arange(16_000, dtype=np.float32)


def playing():
    reference = Reference()
    reference.add(Spoken(1, RAMP[:8000], 16_000, ""))
    reference.add(Spoken(1, RAMP[8000:], 16_000, ""))
    return reference


def test_it_moves_on_with_the_microphone_whatever_is_believed_a_little_off():
    reference = playing()
    heard = [reference.next(320, at * 0.02 + 0.03 * (at % 2)) for at in range(20)]
    assert np.array_equal(np.concatenate(heard), RAMP[: 20 * 320])


def test_a_belief_that_is_far_off_is_followed():
    reference = playing()
    reference.next(320, 0.0)
    assert np.array_equal(reference.next(320, 0.5), RAMP[8000:8320])


def test_held_it_stands_still_and_goes_on_where_the_client_stopped():
    reference = playing()
    reference.next(320, 0.0)
    reference.gain = 0.0
    assert not reference.next(320, 0.02).any()
    reference.gain = 0.2
    assert np.array_equal(reference.next(320, 0.03), RAMP[480:800])


def test_behind_its_end_and_after_a_stop_there_is_silence():
    reference = playing()
    tail = reference.next(640, 0.98)
    assert np.array_equal(tail[:320], RAMP[15_680:]) and not tail[320:].any()
    reference.stop()
    assert not reference.next(320, 0.1).any()


def test_another_answer_begins_anew_at_full_gain():
    reference = playing()
    reference.next(320, 0.5)
    reference.gain = 0.2
    reference.add(Spoken(2, -RAMP, 16_000, ""))
    assert np.array_equal(reference.next(320, 0.0), -RAMP[:320])
