"""Events as JSON objects, there and back."""

import json
from typing import get_args

import numpy as np
import pytest

from streaming.endpoint import SpeechPaused, SpeechResumed, SpeechSegment, SpeechStarted
from voicechat.events import (
    Answered,
    Asked,
    Event,
    Failed,
    Heard,
    Idle,
    Interrupted,
    Speculated,
    Spoken,
    TextDelta,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
    Yielded,
    as_json,
    from_json,
)
from voicechat.timing import Timing

EVENTS = [
    SpeechStarted(0.2), SpeechPaused(1.5), SpeechResumed(1.75), SpeechSegment(0.2, 2.5, True),
    Asked("item_1", "what is this", 2.0), Unasked("item_1"), TurnStarted(3, "item_2"), TextDelta(3, "fifty "),
    Spoken(3, np.zeros(480, np.float32), 24_000, "fifty "), Answered(3, "fifty six", 120, 9, True),
    Heard(3, "seven times eight", "item_1"), TurnEnded(3, "seven", "fifty six", Timing(500.0, 20.5, 40.1, None)),
    Yielded(3, 0.2),
    Speculated("unfinished", False, 21.5),
    Idle(12.0),
    Interrupted(3, 0.4, "fifty "), Withdrawn(3), Failed("ask again", 3), Failed("no sound"),
]  # fmt: skip


def test_every_event_goes_there_and_back():
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    for event in EVENTS:
        told = json.loads(json.dumps(as_json(event)))
        again = from_json(told)
        assert again == event and as_json(again) == told
    assert len(from_json(as_json(EVENTS[8])).samples) == 480


def test_what_a_newer_voicechat_adds_is_left_out_and_what_it_may_leave_out_has_its_default():
    assert from_json({"type": "turn_started", "turn": 1, "mood": "good"}) == TurnStarted(1)


@pytest.mark.parametrize(
    "told",
    [{}, {"type": "state"}, {"type": None}, {"type": ["heard"]}, {"type": "asked", "id": "x"}, {"type": "spoken"},
     {"type": "turn_ended", "turn": 1, "heard": "", "text": "", "timing": 5}],
)  # fmt: skip
def test_what_is_no_event(told):
    with pytest.raises(ValueError, match="no event"):
        from_json(told)
