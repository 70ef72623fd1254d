"""Turn taking is a table; so is its test."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicechat.turntaking import Action, Input, State, take

SPEECH, OVER, TYPED, SOUNDING, DONE = Input
LISTENING, HEARING, THINKING, SPEAKING = State

CONVERSATIONS = {
    "a spoken turn": ([SPEECH, OVER, SOUNDING, DONE], LISTENING, "OPEN BEGIN"),
    "a typed turn": ([TYPED, SOUNDING, DONE], LISTENING, "BEGIN"),
    "barge-in": ([SPEECH, OVER, SOUNDING, SPEECH, OVER, SOUNDING], SPEAKING, "OPEN BEGIN INTERRUPT OPEN BEGIN"),
    "not done yet": ([SPEECH, OVER, SPEECH, OVER, SOUNDING], SPEAKING, "OPEN BEGIN CANCEL GO_ON BEGIN"),
    "typed over an answer": ([TYPED, SOUNDING, TYPED], THINKING, "BEGIN INTERRUPT BEGIN"),
    "typed twice at once": ([TYPED, TYPED], THINKING, "BEGIN CANCEL BEGIN"),
    "typed while speaking": ([SPEECH, TYPED, OVER], THINKING, "OPEN DROP BEGIN"),
    "an answer without sound": ([TYPED, DONE], LISTENING, "BEGIN"),
    "late news of a stopped answer": ([SPEECH, SOUNDING, DONE], HEARING, "OPEN"),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name):
    inputs, end, expected = CONVERSATIONS[name]
    state, done = LISTENING, []
    for happened in inputs:
        state, actions = take(state, happened)
        done += [a.name for a in actions]
    assert (state, " ".join(done)) == (end, expected)


@given(st.lists(st.sampled_from(list(Input)), max_size=30))
def test_never_two_answers_at_once_and_never_two_clips(inputs):
    state, answering, clip = LISTENING, False, False
    for happened in inputs:
        state, actions = take(state, happened)
        for action in actions:
            match action:
                case Action.OPEN | Action.GO_ON:
                    assert not clip
                    clip = True
                case Action.DROP:
                    assert clip
                    clip = False
                case Action.BEGIN:
                    assert not answering
                    answering, clip = True, False
                case Action.CANCEL | Action.INTERRUPT:
                    assert answering
                    answering = False
        if happened is DONE and state is LISTENING:
            answering = False
        assert clip == (state is HEARING)
        assert answering == (state in (THINKING, SPEAKING))


def test_every_pair_is_decided():
    assert {take(s, i)[0] for s, i in itertools.product(State, Input)} == set(State)
