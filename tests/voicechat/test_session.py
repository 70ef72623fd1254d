"""A whole session with real speech, a model without weights and a voice without a model."""

import asyncio
import threading
import tracemalloc

import numpy as np
import pytest

from streaming.audio import AudioChunk, chunks
from tests.speech import kinds, microphone, say, silence
from tts.voice import load_voice
from voicechat.blocking import Worker
from voicechat.config import Config
from voicechat.conversation import Clip, Message
from voicechat.echo import Echo, EchoMemory
from voicechat.errors import ModelError
from voicechat.events import (
    Answered,
    Asked,
    Failed,
    Heard,
    Interrupted,
    Spoken,
    TextDelta,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
)
from voicechat.session import Session
from voicechat.turn import Wanted
from voicechat.turntaking import Policy, State

QUESTION = 0.5 * say("what is seven times eight")


class Patient(EchoMemory):
    """Says its words one by one, each when it is let."""

    def __init__(self, words: str = "one two, three four, five six seven, eight nine ten.") -> None:
        self.words, self.go, self.asked = words, threading.Semaphore(0), []

    def reply(self, messages):
        self.asked.append(messages)
        for word in self.words.split():
            self.go.acquire()
            yield word + " "


class Broken(EchoMemory):
    def __init__(self) -> None:
        self.broken = True

    def reply(self, messages):
        if self.broken:
            yield "Well "
            raise ModelError("the model is out of memory: send a shorter clip")
        yield from super().reply(messages)


@pytest.fixture
def open_session():
    workers = Worker("model"), Worker("voice")

    def open_(memory=None, **options):
        return Session(memory or Echo().memory(), load_voice("tone"), *workers, Config(**options))

    yield open_
    for worker in workers:
        worker.close()


async def feed(session, *pieces):
    async for chunk in microphone(*pieces):
        await session.hear(chunk)


def drain(session):
    events = []
    while not session.events.empty():
        events.append(session.events.get_nowait())
    return events


async def test_a_spoken_question_is_answered_aloud(open_session):
    session = open_session()
    events = [event async for event in session.talk(microphone(0.5, QUESTION, 1.0))]
    order = [k for i, k in enumerate(kinds(events)) if i == 0 or k != kinds(events)[i - 1]]
    assert order[0] == "SpeechStarted" and order[-2:] == ["Heard", "TurnEnded"]
    assert order.index("SpeechSegment") < order.index("TurnStarted") < order.index("TextDelta") < order.index("Spoken")
    ended = events[-1]
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == ended.text
    assert "".join(e.text for e in events if isinstance(e, Spoken)) == ended.text
    assert [m.role for m in session.conversation.messages] == ["user", "assistant"]
    length = len(QUESTION) / 16_000
    assert length - 0.1 < session.conversation.messages[0].clips[0].length / 16_000 < length + 0.7
    timing = ended.timing
    assert 400 < timing.speech_end_ms < 700 and 0 < timing.first_token_ms <= timing.first_audio_ms <= timing.done_ms


async def test_the_first_clause_sounds_while_the_model_still_decodes(open_session):
    memory = Patient("Well, that is a long answer which goes on.")
    session = open_session(memory)
    await session.ask("tell me")
    memory.go.release()
    memory.go.release()
    while not any(isinstance(e, Spoken) for e in drain(session)):
        await asyncio.sleep(0.005)
    assert len(memory.asked) == 1 and session.state is State.SPEAKING
    for _ in range(20):
        memory.go.release()
    await session.idle()


async def test_barge_in_silences_cancels_and_keeps_what_was_heard(open_session):
    memory = Patient()
    session = open_session(memory)
    for _ in range(6):
        memory.go.release()
    await session.ask("count")
    for _ in range(200):  # six of ten words are made, and spoken as far as clauses go
        await asyncio.sleep(0.005)
        if session.answering.playback.sent_s >= 0.16:
            break
    drain(session)
    await session.played(1, 0.15)
    memory.go.release(50)
    await feed(session, 0.3, QUESTION[:8000])
    events = drain(session)
    interrupted = next((e for e in events if isinstance(e, Interrupted)), None)
    assert interrupted is not None, kinds(events)
    assert interrupted.heard_s == pytest.approx(0.15) and interrupted.turn == 1
    after = events[events.index(interrupted) :]
    assert not any(isinstance(e, Spoken | TextDelta) for e in after)
    assert session.state is State.HEARING
    assert session.conversation.messages[-1].text == interrupted.text.rstrip()
    assert interrupted.text == "one "
    await session.close()


async def test_an_answer_that_still_plays_can_be_interrupted(open_session):
    """The answer is made long before it has been played; time is samples received."""
    session = open_session(Echo().memory())
    await session.ask("one two three four five six seven eight nine ten")
    await session.idle()
    assert session.state is State.SPEAKING
    full = session.conversation.messages[-1].text
    await feed(session, 0.2, QUESTION, 1.0)
    await session.idle()
    interrupted = next(e for e in drain(session) if isinstance(e, Interrupted))
    assert 0.1 < interrupted.heard_s < 1.0
    texts = [m.text for m in session.conversation.messages if m.role == "assistant"]
    assert full.startswith(texts[0]) and len(texts[0]) < len(full)


async def test_an_answer_that_has_been_played_is_not_interrupted(open_session):
    session = open_session()
    await session.ask("hello")
    await session.idle()
    await feed(session, 5.0)
    assert session.state is State.LISTENING
    await feed(session, QUESTION, 1.0)
    await session.idle()
    assert not any(isinstance(e, Interrupted) for e in drain(session))


async def test_a_speaker_who_was_not_done_is_heard_in_one_clip(open_session):
    memory = Patient()
    session = open_session(memory)
    await feed(session, 0.3, say("what is four plus"), 0.7)
    assert session.state is State.THINKING
    await feed(session, say("five"), 0.7)
    memory.go.release(50)
    await session.idle()
    events = drain(session)
    assert [e.turn for e in events if isinstance(e, TurnStarted)] == [1, 2]
    assert [e.turn for e in events if isinstance(e, TurnEnded)] == [2]
    question = memory.asked[-1][-1]
    assert len(memory.asked[-1]) == 1 and len(question.clips) == 1
    whole = len(say("what is four plus")) + len(say("five")) + 0.7 * 16_000
    assert whole - 3_000 < question.clips[0].length < whole + 9_600


async def test_speaking_after_an_attached_clip_leaves_the_clip_as_it_is(open_session):
    memory, attached = Patient(), Clip(np.zeros(16_000, np.float32))
    session = open_session(memory)
    await session.ask("", [attached])
    await feed(session, 0.3, QUESTION, 0.7)
    memory.go.release(50)
    await session.idle()
    question = memory.asked[-1][-1]
    assert attached.length == 16_000 and question.clips[0] is attached and len(question.clips) == 2


async def test_typed_clips_and_voice_are_one_conversation(open_session):
    session = open_session()
    await session.ask("what is this", [Clip(np.zeros(16_000, np.float32))])
    await session.idle()
    await session.played(1, 60)
    await feed(session, 0.3, QUESTION, 1.0)
    await session.idle()
    assert [m.role for m in session.conversation.messages] == ["user", "assistant", "user", "assistant"]
    events = drain(session)
    ended = [e.heard for e in events if isinstance(e, TurnEnded)]
    assert ended[0] == "what is this" and ended[1].endswith("seconds of sound)")
    assert [e.text for e in events if isinstance(e, Heard)] == ended[1:]


async def test_an_error_ends_the_turn_with_one_event_and_the_session_goes_on(open_session):
    memory = Broken()
    session = open_session(memory)
    await session.ask("hello")
    await session.idle()
    failed = [e for e in drain(session) if isinstance(e, Failed)]
    assert [(e.turn, e.message) for e in failed] == [(1, "the model is out of memory: send a shorter clip")]
    assert session.state in (State.LISTENING, State.SPEAKING)
    memory.broken = False
    await session.ask("again")
    await session.idle()
    assert any(isinstance(e, TurnEnded) and "again" in e.text for e in drain(session))


async def test_sound_that_is_none_is_told_and_the_session_goes_on(open_session):
    session = open_session()
    await session.hear(AudioChunk(np.full(320, np.nan, np.float32), 16_000, 0.0))
    assert "NaN" in drain(session)[0].message
    await feed(session, 0.3, QUESTION, 1.0)
    await session.idle()
    assert any(isinstance(e, TurnEnded) for e in drain(session))


async def test_silence_and_noise_start_nothing(open_session):
    session = open_session()
    rng = np.random.default_rng(0)
    await feed(session, 2.0, (rng.standard_normal(48_000) * 0.05).astype(np.float32), 1.0)
    await session.end_of_sound()
    assert drain(session) == [] and session.state is State.LISTENING


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
async def test_any_microphone(open_session, rate):
    import soxr

    session = open_session()
    sound = soxr.resample(np.concatenate([silence(0.5), QUESTION, silence(1.0)]), 16_000, rate)
    for chunk in chunks(AudioChunk(sound, rate, 0.0), 0.013):
        await session.hear(chunk)
    await session.idle()
    assert any(isinstance(e, TurnEnded) for e in drain(session))


async def test_push_to_talk_is_committed_and_answered_by_hand(open_session):
    session = open_session()
    await session.listen(Policy(detects=False))
    await feed(session, QUESTION)
    assert session.state is State.LISTENING and session.uncommitted_s > 1
    await session.commit()
    assert session.uncommitted_s == 0 and kinds(drain(session)) == ["Asked"]
    await session.respond()
    await session.idle()
    (question, answer) = session.conversation.messages
    assert abs(question.clips[0].length - len(QUESTION)) < 320 and "seconds of sound" in answer.text
    await session.played(1, 60)
    await feed(session, QUESTION)
    await session.forget()
    await session.commit()
    assert len(session.conversation.messages) == 2


async def test_speech_is_not_answered_where_nobody_wants_that(open_session):
    session = open_session()
    await session.listen(Policy(answers=False))
    await feed(session, 0.3, QUESTION, 1.0)
    assert session.state is State.LISTENING and session.turn == 0
    assert [m.role for m in session.conversation.messages] == ["user"]


async def test_speech_stops_nothing_where_it_must_not(open_session):
    memory = Patient()
    session = open_session(memory)
    await session.listen(Policy(interrupts=False))
    await session.ask("count")
    await feed(session, 0.3, QUESTION)
    assert session.state is State.OVERLAP
    memory.go.release(50)
    await feed(session, 1.0)
    await session.idle()
    events = drain(session)
    assert not any(isinstance(e, Interrupted | Withdrawn) for e in events)
    assert [e.turn for e in events if isinstance(e, TurnEnded)] == [1]
    assert [m.role for m in session.conversation.messages] == ["user", "assistant", "user"]


async def test_stopped_by_hand_an_answer_keeps_what_was_heard(open_session):
    session = open_session()
    await session.ask("one two three four five six seven eight nine ten")
    await session.idle()
    await session.played(1, 0.25)
    await session.stop()
    assert session.state is State.LISTENING
    assert session.conversation.messages[-1].text == "You wrote: one"
    answer = session.conversation.messages[-1].id
    assert await session.truncate(answer, 0.33) == "You wrote: one two"  # the client knows better
    assert await session.truncate(answer, 0.17) == "You wrote:"
    assert await session.truncate(answer, 0.33) == "You wrote:"  # what was cut stays cut
    await session.played(1, 0.4)
    await session.stop()
    assert session.conversation.find(answer).text == "You wrote:"
    with pytest.raises(KeyError):
        await session.truncate("item_unknown", 1)


@pytest.mark.parametrize("blank", ["", "  ", "\n\t", "\u200b\ufeff", "\u00a0"])
async def test_blanks_are_no_question(open_session, blank):
    session = open_session()
    await session.ask(blank)
    assert drain(session) == [Failed("nothing was typed: write what you want to ask, or attach a clip")]
    assert session.conversation.messages == [] and session.state is State.LISTENING
    attached = Clip(QUESTION)
    await session.ask(blank, [attached])
    await session.idle()
    answer = f"I heard {attached.length / 16_000:.1f} seconds of sound. "
    assert session.conversation.messages[-1].text == answer
    await session.played(1, 100)
    session.attach([attached])
    await session.ask(blank)
    await session.idle()
    assert session.conversation.messages[-1].text == answer


async def test_one_answer_can_be_made_otherwise(open_session):
    session = open_session()
    session.conversation.add(Message("user", "hello"))
    await session.respond(Wanted(aloud=False, max_tokens=2))
    await session.idle()
    events = drain(session)
    answered = next(e for e in events if isinstance(e, Answered))
    assert answered.cut and answered.text == "You wrote: " and answered.written == 2
    assert not any(isinstance(e, Spoken) for e in events) and session.state is State.LISTENING
    await session.respond(Wanted(messages=(Message("user", "aside"),), remembered=False))
    await session.idle()
    assert any(isinstance(e, Answered) and "aside" in e.text for e in drain(session))
    assert len(session.conversation.messages) == 2


async def test_every_turn_that_starts_is_told_to_end(open_session):
    memory = Patient()
    session = open_session(memory)
    await feed(session, 0.3, say("what is four plus"), 0.7, say("five"), 0.7)
    await session.ask("never mind")
    memory.go.release(50)
    await session.idle()
    events = drain(session)
    started = [e.turn for e in events if isinstance(e, TurnStarted)]
    over = [e.turn for e in events if isinstance(e, TurnEnded | Withdrawn)]
    assert started == over == [1, 2, 3]
    unasked = [e.id for e in events if isinstance(e, Unasked)]
    asked = [e.id for e in events if isinstance(e, Asked)]
    assert unasked == asked[:1] and len(set(asked)) == 3


async def test_leaving_talk_stops_everything(open_session):
    memory = Patient()
    session = open_session(memory)
    async for event in session.talk(microphone(0.3, QUESTION, 60.0)):
        if isinstance(event, TurnStarted):
            break
    memory.go.release(100)
    await session.close()
    assert not session.answering.at_work


async def test_a_long_question_takes_no_more_memory_than_its_sound(open_session):
    session = open_session()
    await session.listen(Policy(detects=False))
    tracemalloc.start()
    for _ in range(20):
        await session.hear(AudioChunk(np.zeros(16_000, np.float32), 16_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4e6  # twenty seconds of sound are 1.3 MB, the last ten are kept once more
