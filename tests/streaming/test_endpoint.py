from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.endpoint import (
    Endpointer,
    EndpointTimes,
    SpeechEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechSegment,
    SpeechStarted,
)

# 10-ms frames make the tables readable: 10 frames confirm, 16 pause, 50 end a turn.
FRAME = 0.01
TIMES = EndpointTimes(pause_s=0.16, max_turn_s=3.0)


def run(endpointer: Endpointer, runs: list[tuple[float, int]]) -> list[SpeechEvent]:
    return [event for p, n in runs for _ in range(n) for event in endpointer.step(p)]


def rounded(events: list[SpeechEvent]) -> list[SpeechEvent]:
    """Times to the microsecond, so that tables can be compared exactly."""
    out: list[SpeechEvent] = []
    for event in events:
        match event:
            case SpeechSegment(start, end, cut):
                out.append(SpeechSegment(round(start, 6), round(end, 6), cut))
            case _:
                out.append(type(event)(round(event.at_s, 6)))
    return out


TABLE: dict[str, tuple[list[tuple[float, int]], list[SpeechEvent]]] = {
    "silence": ([(0.0, 500)], []),
    "a click": ([(0, 50), (1, 9), (0, 100)], []),
    "clicks in a row": ([(0, 50), (1, 9), (0, 1), (1, 9), (0, 100)], []),
    "below the threshold": ([(0.49, 500)], []),
    "one turn": (
        [(0, 100), (1, 100), (0, 100)],
        [SpeechStarted(0.7), SpeechPaused(2.0), SpeechSegment(0.7, 2.1)],
    ),
    "at the threshold": (
        [(0, 100), (0.5, 100), (0, 100)],
        [SpeechStarted(0.7), SpeechPaused(2.0), SpeechSegment(0.7, 2.1)],
    ),
    "the voice may fall to the release": (
        [(0, 100), (0.5, 1), (0.35, 99), (0.34, 100)],
        [SpeechStarted(0.7), SpeechPaused(2.0), SpeechSegment(0.7, 2.1)],
    ),
    "pre-roll stops at zero": (
        [(0, 10), (1, 50), (0, 60)],
        [SpeechStarted(0.0), SpeechPaused(0.6), SpeechSegment(0.0, 0.7)],
    ),
    "pre-roll stops at the turn before": (
        [(1, 50), (0, 50), (1, 50), (0, 50)],
        [
            SpeechStarted(0.0),
            SpeechPaused(0.5),
            SpeechSegment(0.0, 0.6),
            SpeechStarted(0.7),
            SpeechPaused(1.5),
            SpeechSegment(0.7, 1.6),
        ],
    ),
    "a gap shorter than a pause": (
        [(1, 50), (0, 15), (1, 50), (0, 50)],
        [SpeechStarted(0.0), SpeechPaused(1.15), SpeechSegment(0.0, 1.25)],
    ),
    "a pause": (
        [(1, 50), (0, 49), (1, 20), (0, 50)],
        [
            SpeechStarted(0.0),
            SpeechPaused(0.5),
            SpeechResumed(0.99),
            SpeechPaused(1.19),
            SpeechSegment(0.0, 1.29),
        ],
    ),
    "a long turn is cut, and what goes on without a pause is no turn": (
        [(0, 100), (1, 600), (0, 10), (1, 100), (0, 50), (1, 50), (0, 50)],
        [
            SpeechStarted(0.7),
            SpeechSegment(0.7, 3.7, cut=True),
            SpeechStarted(8.3),
            SpeechPaused(9.1),
            SpeechSegment(8.3, 9.2),
        ],
    ),
    "a long turn is cut while paused": (
        [(0, 100), (1, 250), (0, 100)],
        [SpeechStarted(0.7), SpeechPaused(3.5), SpeechSegment(0.7, 3.7, cut=True)],
    ),
    "a scrap after a cut is a click": (
        [(1, 309), (0, 100)],
        [SpeechStarted(0.0), SpeechSegment(0.0, 3.0, cut=True)],
    ),
}

# (runs before, the silence that shall end the turn, what that decides at once, runs after, what they bring)
WAITS = {
    "a sentence that is complete": ([(1, 50), (0, 20)], 0.2, [SpeechSegment(0.0, 0.6)], [(0, 50)], []),
    "a little later": ([(1, 50), (0, 20)], 0.3, [], [(0, 10)], [SpeechSegment(0.0, 0.6)]),
    "one that is not": ([(1, 50), (0, 20)], 2.0, [], [(0, 179), (1, 1)], [SpeechResumed(2.49)]),
    "patience ends with the pause": (
        [(1, 50), (0, 20)], 2.0, [], [(0, 100), (1, 10), (0, 50)],
        [SpeechResumed(1.7), SpeechPaused(1.8), SpeechSegment(0.0, 1.9)],
    ),
    "too late, the voice is back": (
        [(1, 50), (0, 20), (1, 5)], 0.1, [], [(0, 30)], [SpeechPaused(0.75)],
    ),
    "nobody has spoken": ([(0, 50)], 0.1, [], [(0, 50)], []),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_patience_depends_on_what_was_said(name: str) -> None:
    before, silence_s, at_once, after, later = WAITS[name]
    endpointer = Endpointer(TIMES, FRAME)
    run(endpointer, before)
    assert rounded(endpointer.wait(silence_s)) == at_once
    assert rounded(run(endpointer, after)) == later


def test_a_segment_that_is_dismissed_never_ends_and_the_next_is_a_new_one() -> None:
    endpointer = Endpointer(TIMES, FRAME)
    run(endpointer, [(1, 50), (0, 20)])
    endpointer.dismiss()
    assert not endpointer.speaking
    assert rounded(run(endpointer, [(0, 100), (1, 20), (0, 50)])) == [
        SpeechStarted(1.4), SpeechPaused(1.9), SpeechSegment(1.4, 2.0)
    ]  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_runs_of_probabilities(name: str) -> None:
    runs, expected = TABLE[name]
    endpointer = Endpointer(TIMES, FRAME)
    assert rounded(run(endpointer, runs)) == expected
    assert not endpointer.speaking


def test_pre_roll_does_not_reach_into_the_turn_before() -> None:
    endpointer = Endpointer(EndpointTimes(pre_roll_s=0.3, silence_s=0.2, post_roll_s=0.1), FRAME)
    events = run(endpointer, [(1, 50), (0, 20), (1, 20), (0, 20)])
    assert rounded(events)[-3:] == [SpeechStarted(0.6), SpeechPaused(0.9), SpeechSegment(0.6, 1.0)]


def test_the_default_frame_is_32_ms() -> None:
    endpointer = Endpointer(EndpointTimes())
    events = run(endpointer, [(0, 20), (1, 4)])
    assert rounded(events) == [SpeechStarted(0.34)]
    assert endpointer.speaking
    assert endpointer.now_s == pytest.approx(24 * 0.032)
    assert rounded(run(endpointer, [(0, 5)])) == [SpeechPaused(0.768)]
    assert rounded(run(endpointer, [(0, 11)])) == [SpeechSegment(0.34, 0.868)]


@pytest.mark.parametrize(
    ("quiet", "end"), [(0, 0.5), (3, 0.53), (30, 0.6)], ids=["voiced", "in the post-roll", "paused"]
)
def test_flush_closes_the_open_segment(quiet: int, end: float) -> None:
    endpointer = Endpointer(TIMES, FRAME)
    run(endpointer, [(1, 50), (0, quiet)])
    assert rounded(endpointer.flush()) == [SpeechSegment(0.0, end)]
    assert not endpointer.speaking
    assert endpointer.flush() == []


def test_flush_drops_what_was_not_confirmed() -> None:
    endpointer = Endpointer(TIMES, FRAME)
    run(endpointer, [(1, 9)])
    assert endpointer.flush() == []
    assert run(endpointer, [(1, 9)]) == []


def test_reset_starts_anew() -> None:
    endpointer = Endpointer(TIMES, FRAME)
    run(endpointer, [(0, 100), (1, 90)])
    endpointer.reset()
    assert endpointer.now_s == 0
    assert not endpointer.speaking
    runs, expected = TABLE["one turn"]
    assert rounded(run(endpointer, runs)) == expected


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"release": 0.6}, "release <= threshold"),
        ({"threshold": 1.0}, "threshold < 1"),
        ({"release": 0.0}, "0 < release"),
        ({"min_speech_s": 0.0}, "min_speech_s > 0"),
        ({"pause_s": 0.6}, "pause_s <= silence_s"),
        ({"pre_roll_s": -0.1}, "pre_roll_s >= 0"),
        ({"post_roll_s": 0.6}, "post_roll_s <= silence_s"),
        ({"max_turn_s": 0.4}, "max_turn_s > pre_roll_s + min_speech_s"),
        ({"max_turn_s": float("inf")}, "max_turn_s finite"),
        ({"silence_s": float("nan")}, "silence_s"),
    ],
)
def test_impossible_times_are_refused(wrong: dict[str, float], rule: str) -> None:
    with pytest.raises(ValueError, match="make .*" + rule.replace("+", r"\+")) as error:
        EndpointTimes(**wrong)
    assert "\n" not in str(error.value)


def test_a_frame_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="make it positive"):
        Endpointer(TIMES, 0.0)


probabilities = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.49, 0.5, 0.8, 1.0]), st.integers(1, 40)), max_size=30
)
times = st.builds(
    EndpointTimes,
    min_speech_s=st.floats(0.01, 0.3),
    pause_s=st.floats(0.01, 0.3),
    silence_s=st.floats(0.3, 0.8),
    pre_roll_s=st.floats(0, 0.5),
    post_roll_s=st.floats(0, 0.3),
    max_turn_s=st.floats(0.9, 4.0),
)


@given(times, st.sampled_from([0.01, 0.02, 0.032]), probabilities)
def test_events_are_well_formed(times: EndpointTimes, frame_s: float, runs: list[tuple[float, int]]) -> None:
    endpointer = Endpointer(times, frame_s)
    voiced, voiced_at, now = False, [], 0
    open_s: float | None = None
    paused = False
    ends = [0.0]
    for p, n in [*runs, (-1.0, 1)]:  # -1 stands for the flush
        for _ in range(n):
            if p < 0:
                events = endpointer.flush()
            else:
                now += 1
                voiced = p >= (times.release if voiced else times.threshold)
                voiced_at.append(voiced)
                events = endpointer.step(p)
            for event in events:
                match event:
                    case SpeechStarted(at):
                        assert open_s is None
                        assert ends[-1] <= at <= now * frame_s
                        last = list(itertools.takewhile(bool, reversed(voiced_at)))
                        assert len(last) * frame_s >= times.min_speech_s - 1e-4
                        open_s = at
                    case SpeechPaused(at):
                        assert open_s is not None and not paused
                        assert open_s <= at <= now * frame_s - times.pause_s + 1e-4
                        paused = True
                    case SpeechResumed(at):
                        assert open_s is not None and paused
                        assert at == pytest.approx((now - 1) * frame_s)
                        paused = False
                    case SpeechSegment(start, end, cut):
                        assert start == open_s
                        assert start < end <= now * frame_s + 1e-9
                        assert end - start <= times.max_turn_s + frame_s + 1e-9
                        assert cut == (end - start >= times.max_turn_s) or not cut
                        ends.append(end)
                        open_s, paused = None, False
            assert endpointer.speaking == (open_s is not None)
    assert not endpointer.speaking
    assert endpointer.now_s == now * frame_s


def test_a_frame_that_may_hold_a_voice_is_told_before_there_is_speech():
    ears = Endpointer(TIMES)
    found = []
    for probability in (0.1, 0.3, 0.1, 0.9):
        assert ears.step(probability) == []
        found.append(ears.stirs)
    assert found == [False, True, False, True]
    assert ears.flush() == [] and not ears.stirs
