"""Turn taking is a table; so is its test."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.endpoint import EndpointTimes
from voicechat.turntaking import Action, Input, Patience, Policy, State, take
from voicechat.verdict import Verdict

SPEECH, OVER, ASIDE, MEANT, RESUMED, LATE, TYPED, ASKED, SOUNDING, DONE, STOP, FORGET = Input
LISTENING, HEARING, THINKING, SPEAKING, HELD, OVERLAP = State

CONVERSATIONS = {
    "a spoken turn": ([SPEECH, OVER, SOUNDING, DONE], LISTENING, "OPEN COMMIT BEGIN"),
    "a typed turn": ([TYPED, SOUNDING, DONE], LISTENING, "COMMIT BEGIN"),
    "barge-in": (
        [SPEECH, OVER, SOUNDING, SPEECH, OVER, SOUNDING], SPEAKING, "OPEN COMMIT BEGIN INTERRUPT OPEN COMMIT BEGIN"
    ),
    "not done yet": ([SPEECH, OVER, SPEECH, OVER, SOUNDING], SPEAKING, "OPEN COMMIT BEGIN CANCEL GO_ON COMMIT BEGIN"),
    "typed over an answer": ([TYPED, SOUNDING, TYPED], THINKING, "COMMIT BEGIN INTERRUPT COMMIT BEGIN"),
    "typed twice at once": ([TYPED, TYPED], THINKING, "COMMIT BEGIN CANCEL COMMIT BEGIN"),
    "typed while speaking": ([SPEECH, TYPED, OVER], THINKING, "OPEN DROP COMMIT BEGIN"),
    "an answer without sound": ([TYPED, DONE], LISTENING, "COMMIT BEGIN"),
    "late news of a stopped answer": ([SPEECH, SOUNDING, DONE], HEARING, "OPEN"),
    "stopped by hand": ([TYPED, SOUNDING, STOP, DONE], LISTENING, "COMMIT BEGIN INTERRUPT"),
    "stopped before it sounded": ([ASKED, STOP, SOUNDING], LISTENING, "BEGIN CANCEL"),
    "not meant for us": ([SPEECH, FORGET, OVER], LISTENING, "OPEN DROP"),
    "asked while the user speaks": ([SPEECH, ASKED, SOUNDING, OVER, DONE], LISTENING, "OPEN BEGIN COMMIT"),
    "asked for the next answer while one plays": ([ASKED, SOUNDING, ASKED], THINKING, "BEGIN BEGIN"),
    "nothing to answer": ([SPEECH, ASIDE], LISTENING, "OPEN COMMIT TAKE_BACK"),
    "not finished after all": (
        [SPEECH, OVER, SOUNDING, RESUMED, OVER], THINKING, "OPEN COMMIT BEGIN CANCEL GO_ON COMMIT BEGIN"
    ),
    "what came late is of the question: while the answer is made": (
        [SPEECH, OVER, LATE, OVER], THINKING, "OPEN COMMIT BEGIN CANCEL GO_ON COMMIT BEGIN"
    ),
    "while it plays": ([SPEECH, OVER, SOUNDING, LATE, OVER], THINKING, "OPEN COMMIT BEGIN CANCEL GO_ON COMMIT BEGIN"),
    "when it has been played": (
        [SPEECH, OVER, SOUNDING, DONE, LATE, OVER], THINKING, "OPEN COMMIT BEGIN WITHDRAW GO_ON COMMIT BEGIN"
    ),
    "when it has been interrupted": (
        [SPEECH, OVER, SOUNDING, SPEECH, LATE, OVER], THINKING,
        "OPEN COMMIT BEGIN INTERRUPT OPEN DROP WITHDRAW GO_ON COMMIT BEGIN",
    ),
}  # fmt: skip
HOLDS = Policy(holds=True)
OTHERS = {
    "a cough": (
        HOLDS, [TYPED, SOUNDING, SPEECH, ASIDE, DONE], LISTENING, "COMMIT BEGIN HOLD OPEN DROP PLAY"
    ),
    "an interruption that is sure": (
        HOLDS, [TYPED, SOUNDING, SPEECH, MEANT, OVER, SOUNDING], SPEAKING,
        "COMMIT BEGIN HOLD OPEN INTERRUPT COMMIT BEGIN",
    ),
    "an interruption that was over before it was sure": (
        HOLDS, [TYPED, SOUNDING, SPEECH, OVER], THINKING, "COMMIT BEGIN HOLD OPEN INTERRUPT COMMIT BEGIN"
    ),
    "held, and not finished after all": (
        HOLDS, [SPEECH, OVER, SOUNDING, SPEECH, RESUMED, OVER], THINKING,
        "OPEN COMMIT BEGIN HOLD OPEN DROP CANCEL GO_ON COMMIT BEGIN",
    ),
    "held, and what came late is of the question": (
        HOLDS, [SPEECH, OVER, SOUNDING, SPEECH, LATE, OVER], THINKING,
        "OPEN COMMIT BEGIN HOLD OPEN DROP CANCEL GO_ON COMMIT BEGIN",
    ),
    "typed while held": (
        HOLDS, [TYPED, SOUNDING, SPEECH, TYPED], THINKING, "COMMIT BEGIN HOLD OPEN DROP INTERRUPT COMMIT BEGIN"
    ),
    "stopped while held": (HOLDS, [TYPED, SOUNDING, SPEECH, STOP], HEARING, "COMMIT BEGIN HOLD OPEN INTERRUPT"),
    "forgotten while held": (HOLDS, [TYPED, SOUNDING, SPEECH, FORGET], SPEAKING, "COMMIT BEGIN HOLD OPEN DROP PLAY"),
    "held where nobody answers by himself": (
        Policy(answers=False, holds=True), [ASKED, SOUNDING, SPEECH, OVER], LISTENING,
        "BEGIN HOLD OPEN INTERRUPT COMMIT",
    ),
    "what cannot be interrupted is not held": (
        Policy(interrupts=False, holds=True), [TYPED, SOUNDING, SPEECH], OVERLAP, "COMMIT BEGIN OPEN"
    ),
    "nobody answers by himself": (
        Policy(answers=False), [SPEECH, OVER, ASKED, SOUNDING, SPEECH], HEARING, "OPEN COMMIT BEGIN INTERRUPT OPEN"
    ),
    "speech stops nothing": (
        Policy(interrupts=False), [TYPED, SPEECH, SOUNDING, OVER, DONE], LISTENING, "COMMIT BEGIN OPEN COMMIT"
    ),
    "still speaking when the answer is over": (
        Policy(interrupts=False), [TYPED, SOUNDING, SPEECH, DONE, OVER], THINKING, "COMMIT BEGIN OPEN COMMIT BEGIN"
    ),
    "speech stops nothing, a click does": (
        Policy(interrupts=False), [TYPED, SOUNDING, SPEECH, STOP, OVER], THINKING,
        "COMMIT BEGIN OPEN INTERRUPT COMMIT BEGIN",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name):
    inputs, end, expected = CONVERSATIONS[name]
    state, done = LISTENING, []
    for happened in inputs:
        state, actions = take(state, happened)
        done += [a.name for a in actions]
    assert (state, " ".join(done)) == (end, expected)


@pytest.mark.parametrize("name", OTHERS)
def test_other_ways_to_take_turns(name):
    policy, inputs, end, expected = OTHERS[name]
    state, done = LISTENING, []
    for happened in inputs:
        state, actions = take(state, happened, policy)
        done += [a.name for a in actions]
    assert (state, " ".join(done)) == (end, expected)


@given(st.lists(st.sampled_from(list(Input)), max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_never_two_clips_and_nothing_is_stopped_that_does_not_run(inputs, answers, interrupts, holds):
    state, answering, clip, held = LISTENING, False, False, False
    for happened in inputs:
        before = state
        state, actions = take(state, happened, Policy(answers=answers, interrupts=interrupts, holds=holds))
        for action in actions:
            match action:
                case Action.OPEN | Action.GO_ON:
                    assert not clip
                    clip = True
                case Action.DROP:
                    assert clip
                    clip = False
                case Action.COMMIT:
                    clip = False
                case Action.BEGIN:  # one that was asked for while another still plays follows it
                    assert not answering or happened is ASKED
                    answering = True
                case Action.CANCEL | Action.INTERRUPT:
                    assert answering
                    answering = held = False
                case Action.HOLD:
                    assert answering and not held
                    held = True
                case Action.PLAY:
                    assert held
                    held = False
        if happened is DONE and before in (THINKING, SPEAKING, OVERLAP):
            answering = False
        assert clip == (state in (HEARING, HELD, OVERLAP))
        assert answering == (state in (THINKING, SPEAKING, HELD, OVERLAP))
        assert held == (state is HELD)


def test_patience_follows_the_verdict():
    policy = Policy.judged(EndpointTimes())
    waits = [policy.silence_s(v) for v in (Verdict.FINISHED, None, Verdict.OPEN, Verdict.UNFINISHED)]
    assert waits == sorted(waits) and waits[0] <= 0.25 and policy.times.silence_s == policy.silence_s(None)
    assert {Policy().silence_s(v) for v in (None, *Verdict)} == {EndpointTimes().silence_s}
    assert Patience().scaled(2).finished_s == Patience().finished_s


def test_every_pair_is_decided():
    assert {take(s, i)[0] for s, i in itertools.product(State, Input)} == set(State)
