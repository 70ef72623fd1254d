"""A microphone that delivers nothing while somebody speaks: he is answered, and what comes late is his."""

import numpy as np
import pytest

from streaming.audio import AudioChunk, chunks
from streaming.endpoint import SpeechSegment, SpeechStarted
from tests.speech import say, silence
from tests.voicechat.test_session import drain
from tts.voice import load_voice
from voicechat.blocking import Worker
from voicechat.config import Config
from voicechat.echo import Echo
from voicechat.events import TurnStarted, Unasked, Withdrawn
from voicechat.session import Session
from voicechat.supply import Supply
from voicechat.turntaking import Policy, State

QUESTION = 0.5 * say("what is seven times eight")
LENGTH_S = len(QUESTION) / 16_000


# ---- the facts ------------------------------------------------------------------------------------


def looked(supply: Supply, begin: float, end: float) -> list[float]:
    return [round(supply.missing(begin + n / 10), 3) for n in range(round((end - begin) * 10) + 1)]


@pytest.mark.parametrize(
    ("came", "at", "missing"),
    [
        ([], 9.0, 0.0),  # nothing was ever sent: there is no microphone
        ([(0.0, 0.02)], 1.01, 0.0),
        ([(0.0, 0.02)], 1.03, 0.28),  # a quarter of a second at first
        ([(0.0, 0.02)], 1.52, 1.5),  # and all of it soon
        ([(0.0, 0.02), (0.9, 0.02)], 1.8, 0.0),
        ([(0.0, 1.0)], 1.9, 0.0),  # sent ahead: it is not due yet
        ([(0.0, 60.0)], 1.9, 0.0),
        ([(0.0, 60.0)], 3.0, 2.0),  # but nobody sends for ever ahead
    ],
)
def test_what_is_missing(came, at, missing):
    supply = Supply()
    for now, seconds in came:
        supply.arrive(seconds, now)
    assert supply.missing(at) == pytest.approx(missing, abs=0.02)


def test_it_is_counted_once():
    supply = Supply()
    supply.arrive(0.02, 0.0)
    assert sum(looked(supply, 0.0, 7.0)) == pytest.approx(6.98)


@pytest.mark.parametrize(
    ("came", "late"),
    [
        ([(3.0 + n * 0.02, 0.02) for n in range(50)], False),  # it is said now
        ([(3.0, 0.1), (3.1, 0.1), (3.2, 0.1)], False),  # by a client of another size of pieces
        ([(3.0 + n * 0.001, 0.02) for n in range(50)], True),  # it was said then
        ([(3.0, 1.0)], True),  # in one piece
        ([(3.0, 0.02)], False),
    ],
)
def test_what_comes_in_haste_is_late(came, late):
    supply = Supply()
    for n in range(10):
        supply.arrive(0.02, n * 0.02)
    looked(supply, 0.2, 2.9)
    for now, seconds in came:
        supply.arrive(seconds, now)
    assert supply.late is late


# ---- a session ------------------------------------------------------------------------------------


class Live:
    """A session with a microphone of its own time, which the test makes pass."""

    def __init__(self, policy: Policy, workers) -> None:
        self.now = 0.0
        self.session = Session(
            Echo().memory(), load_voice("tone"), *workers, Config(), clock=lambda: self.now, policy=policy
        )
        self.sent = 0
        self.told = []

    async def say(self, *pieces, haste: float = 1.0) -> None:
        for piece in pieces:
            samples = silence(piece) if isinstance(piece, float | int) else piece
            for chunk in chunks(AudioChunk(samples, 16_000)):
                await self.session.hear(chunk)
                self.sent += len(chunk.samples)
                self.now += chunk.seconds / haste
                self.session.look()
        await self.take()

    async def starve(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.session.look()
            await self.take()

    async def take(self) -> None:
        await self.session.idle()
        self.told += drain(self.session)

    def of(self, kind):
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def clips(self):
        return [clip.length / 16_000 for m in self.session.conversation.messages for clip in m.clips]

    @property
    def answers(self):
        return [m.text for m in self.session.conversation.messages if m.role == "assistant" and m.text.strip()]


SERVER, SEMANTIC = Policy(), Policy.judged(Config().times)


@pytest.fixture(params=[SERVER, SEMANTIC], ids=["server_vad", "semantic_vad"])
def live(request):
    workers = Worker("model"), Worker("voice")
    yield Live(request.param, workers)
    for worker in workers:
        worker.close()


async def test_who_falls_silent_with_the_microphone_is_answered(live):
    await live.say(0.5, QUESTION)
    await live.starve(0.9)
    assert not live.of(TurnStarted)
    await live.starve(1.0)
    assert len(live.of(TurnStarted)) == 1
    (segment,) = live.of(SpeechSegment)
    assert segment.end_s <= live.sent / 16_000  # nothing is told of what the client has not sent
    await live.starve(60.0)
    assert len(live.of(TurnStarted)) == 1


async def test_a_turn_that_is_being_decided_is_decided(live):
    await live.say(0.5, QUESTION, 0.1)
    await live.starve(2.0)
    assert len(live.of(TurnStarted)) == 1


async def test_time_goes_on_where_the_client_counts(live):
    await live.say(0.5, QUESTION)
    await live.starve(7.0)
    await live.session.played(1, 100)
    await live.say(1.0)
    begun_s = live.sent / 16_000
    await live.say(QUESTION, 1.5)
    _, second = live.of(SpeechStarted)
    assert second.at_s == pytest.approx(begun_s - 0.3, abs=0.1)
    assert live.of(SpeechSegment)[1].end_s == pytest.approx(begun_s + LENGTH_S + 0.1, abs=0.15)
    assert len(live.answers) == 2 and live.clips[1] < LENGTH_S + 0.7


@pytest.mark.parametrize("heard_s", [0.0, 0.1, 0.7, 100.0])
@pytest.mark.parametrize("haste", [20.0, 1000.0])
async def test_what_comes_late_belongs_to_the_question(live, haste, heard_s):
    """However much of its answer has been heard by then: one question, and one answer, to the whole of it."""
    at = len(QUESTION) // 2
    await live.say(0.5, QUESTION[:at])
    await live.starve(3.0)
    await live.session.played(1, heard_s)
    assert len(live.of(TurnStarted)) == 1
    await live.say(QUESTION[at:], 1.0, haste=haste)
    await live.say(1.5)
    assert len(live.of(TurnStarted)) == 2 and len(live.of(Withdrawn)) == len(live.of(Unasked)) == 1
    (length,) = live.clips
    assert length == pytest.approx(LENGTH_S + 0.3, abs=0.2)
    assert live.answers == [f"I heard {length:.1f} seconds of sound. "]


async def test_silence_that_comes_late_asks_nothing(live):
    await live.say(0.5, QUESTION)
    await live.starve(3.0)
    await live.say(2.5, haste=500.0)
    await live.say(1.0)
    assert len(live.of(TurnStarted)) == len(live.of(SpeechStarted)) == 1
    assert len(live.answers) == 1


async def test_who_speaks_again_after_a_mute_asks_something_else(live):
    """He speaks in his own time, at the very sample at which the stream had stopped."""
    await live.say(0.5, QUESTION)
    await live.starve(4.0)
    await live.session.played(1, 0.8)
    await live.say(QUESTION, 1.5)
    assert len(live.clips) == 2 and all(length < LENGTH_S + 0.7 for length in live.clips)
    assert not live.of(Withdrawn)


async def test_a_stall_in_the_middle_of_a_sentence_that_ends_soon_is_no_end(live):
    at = len(QUESTION) // 2
    await live.say(0.5, QUESTION[:at])
    await live.starve(0.9)
    await live.say(QUESTION[at:], 1.5, haste=50.0)
    assert len(live.of(TurnStarted)) == 1 and live.clips[0] > LENGTH_S


async def test_an_answer_that_was_turned_down_is_loud_again():
    from voicechat.events import Yielded

    workers = Worker("model"), Worker("voice")
    live = Live(SEMANTIC, workers)
    await live.session.ask("one two three four five six seven eight nine ten eleven twelve thirteen")
    await live.take()
    for at in range(3_200, 6_400, 320):
        await live.say(QUESTION[at : at + 320])
        if live.of(Yielded):
            break
    assert live.of(Yielded)[-1].gain < 1 and live.session.state is State.SPEAKING
    await live.starve(1.2)
    assert live.of(Yielded)[-1].gain == 1
    for worker in workers:
        worker.close()


async def test_by_hand_nothing_is_decided():
    workers = Worker("model"), Worker("voice")
    live = Live(Policy(detects=False, answers=False), workers)
    await live.say(QUESTION)
    await live.starve(30.0)
    assert live.told == [] and live.session.uncommitted_s == pytest.approx(LENGTH_S, abs=0.05)
    for worker in workers:
        worker.close()


async def test_where_time_is_the_sound_itself_nothing_is_missing():
    workers = Worker("model"), Worker("voice")
    live = Live(SERVER, workers)
    live.session = Session(Echo().memory(), load_voice("tone"), *workers, Config(), policy=SERVER)
    await live.say(0.5, QUESTION)
    await live.starve(30.0)
    assert not live.of(TurnStarted)
    assert np.isclose(live.session.uncommitted_s, LENGTH_S, atol=0.5)
    for worker in workers:
        worker.close()
