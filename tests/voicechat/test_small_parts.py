"""Config, conversation, playback, timing and events."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicechat.config import Config
from voicechat.conversation import Clip, Conversation, Message, as_read
from voicechat.errors import ConfigError
from voicechat.events import Failed, Spoken, TurnEnded, as_json
from voicechat.playback import Playback
from voicechat.timing import Stopwatch, Timing


def sound(text: str, seconds: float) -> Spoken:
    return Spoken(1, np.zeros(round(seconds * 1000), np.float32), 1000, text)


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'instructions'"):
        Config.of(instruction="be brief")
    with pytest.raises(ConfigError, match="auto, cpu, cuda"):
        Config(device="gpu")  # type: ignore[arg-type]
    assert Config.of(model="echo", seed=3) == Config(model="echo", seed=3)


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 600))
def test_a_clip_reads_from_anywhere(sizes, start):
    clip, whole = Clip(), np.zeros(0, np.float32)
    for size in sizes:
        piece = np.arange(size, dtype=np.float32)
        clip.append(piece)
        whole = np.concatenate((whole, piece))
    assert clip.length == len(whole)
    np.testing.assert_array_equal(clip.read(start), whole[start:])


def test_questions_that_were_not_answered_are_read_as_one():
    talk, clip = Conversation(), Clip()
    talk.add(Message("user", "first"))
    talk.add(Message("assistant", ""))  # nothing of it was heard
    talk.add(Message("user", "second", (clip,)))
    assert as_read(talk.messages) == (Message("user", "first second", (clip,)),)
    assert [m.text for m in talk.question()] == ["first", "second"]


def test_an_answer_is_cut_to_what_was_heard():
    talk = Conversation.with_instructions("Be brief.")
    question, answer = Message("user", "why"), Message("assistant", "Because it is so.")
    talk.add(question)
    talk.add(answer)
    assert talk.question() == []
    talk.say(answer.id, "Because")
    assert [m.text for m in as_read(talk.messages)] == ["Be brief.", "why", "Because"]
    talk.say(answer.id, "")
    assert [m.role for m in as_read(talk.messages)] == ["system", "user"]
    with pytest.raises(KeyError):
        talk.say("item_that_is_not_there", "half a")


def test_messages_are_put_behind_others_and_removed():
    talk = Conversation.with_instructions("Be brief.")
    second = Message("user", "two")
    talk.add(second)
    talk.add(Message("user", "three"), after=second.id)
    talk.add(Message("user", "one"), after="")
    assert [m.text for m in talk.messages] == ["Be brief.", "one", "two", "three"]
    talk.instruct("Be long.")
    talk.remove(second.id)
    assert [m.text for m in talk.messages] == ["Be long.", "one", "three"]
    talk.instruct("")
    assert [m.text for m in talk.messages] == ["one", "three"]
    with pytest.raises(ValueError):
        talk.add(talk.messages[0])
    with pytest.raises(KeyError):
        talk.add(Message("user", "four"), after=second.id)


def test_old_sound_is_let_go_and_its_words_are_kept():
    talk = Conversation()
    for number in range(5):
        talk.add(Message("user", "", (Clip(np.zeros(16_000, np.float32)),), id=f"q{number}"))
        talk.add(Message("assistant", "yes"))
    talk.shed(2.5, lambda id: {"q0": "one", "q1": "two"}.get(id, ""))
    assert [(m.id, m.text) for m in talk.messages if m.role == "user" and not m.clips] == [
        ("q0", "one"), ("q1", "two"), ("q2", ""),
    ]  # fmt: skip
    assert sum(len(m.clips) for m in talk.messages) == 2


def test_playback_by_the_clock_and_by_report():
    playback = Playback()
    assert playback.heard_s(9.0) == 0
    playback.send(sound("one ", 0.5), now_s=10.0)
    playback.send(sound("two ", 0.5), now_s=10.0)
    playback.send(sound("three", 0.5), now_s=10.1)
    assert playback.text_until(playback.heard_s(11.2)) == "one two "
    assert not playback.over(99.0)
    playback.complete = True
    assert playback.over(11.5) and not playback.over(11.4)
    playback.report(0.6)
    assert playback.text_until(playback.heard_s(99.0)) == "one "
    playback.report(99)
    assert playback.heard_s(0) == 1.5 and playback.over(0)


def test_voice_to_voice_is_from_the_last_sample_of_speech():
    assert Timing(500, 20, 30).voice_to_voice_ms == 530
    assert Timing(None, 20, 30).voice_to_voice_ms is None
    watch = Stopwatch(500)
    watch.mark("first_token_ms")
    first = watch.timing().first_token_ms
    watch.mark("first_token_ms")
    assert watch.timing().first_token_ms == first


def test_events_are_json():
    told = as_json(TurnEnded(1, "what", "that", Timing(500.04, 20, 30)))
    assert told["type"] == "turn_ended" and told["timing"]["speech_end_ms"] == 500.0
    assert json.loads(json.dumps(told))["heard"] == "what"
    assert as_json(sound("a", 0.5))["samples"] == 500
    assert as_json(Failed("x")) == {"type": "failed", "message": "x", "turn": None}
