"""Turn taking in whole sessions: real speech, a voice without a model, and a model that says what it is told to.

Time is samples received; after each piece of sound everything that it caused has happened before the next.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from streaming.audio import AudioChunk, chunks
from streaming.endpoint import EndpointTimes, SpeechSegment
from tests.speech import say, silence
from tts.voice import load_voice
from voicechat.blocking import Urgency, Worker
from voicechat.chat import VoiceChat
from voicechat.config import Config
from voicechat.echo import EchoMemory
from voicechat.errors import ConfigError
from voicechat.events import (
    Asked,
    Idle,
    Interrupted,
    Speculated,
    Spoken,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
    Yielded,
)
from voicechat.session import STILL_HERE, TOO_LONG, Session
from voicechat.turntaking import Policy, State
from voicechat.verdict import instructed

QUESTION, MORE, HM = 0.5 * say("what is seven times eight"), 0.5 * say("and what is that plus one"), 0.5 * say("yeah")
LONG = " ".join(["One two three four five, six seven eight nine ten, eleven twelve thirteen fourteen."] * 6)


class Judge(EchoMemory):
    """Answers with each of its lines in turn, the last for ever; `asides` are its judgements beside a reply."""

    marks = "taught"

    def __init__(self, *lines: str, asides: str = "") -> None:
        self.lines, self.asides, self.asked, self.judged = list(lines), asides, [], 0

    def reply(self, messages):
        self.asked.append(messages)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        for word in line.split(" "):
            yield word + " "

    def judge(self, clip, instructions):
        self.judged += 1
        yield self.asides or "Yes."


@pytest.fixture
def open_session():
    workers = Worker("model"), Worker("voice")

    def open_(memory, policy=None, ear=None, **options):
        ears = None if ear is None else (ear, workers[1])
        config = Config(**options)
        return Session(
            memory, load_voice("tone"), *workers, config, ear=ears, policy=policy or Policy.judged(config.times)
        )

    yield open_
    for worker in workers:
        worker.close()


async def hear(session, *pieces):
    """-> every event, each with the second at which it was told."""
    told = []
    sound = np.concatenate([silence(p) if isinstance(p, float | int) else p for p in pieces])
    for chunk in chunks(AudioChunk(sound, 16_000), 0.032):
        await session.hear(chunk)
        for _ in range(4):  # model, voice, and back
            await session.answering._thinking.run(lambda: None, Urgency.TRANSCRIBE)
            await session.answering._speaking.run(lambda: None, Urgency.TRANSCRIBE)
        while not session.events.empty():
            told.append((session._ears.now_s, session.events.get_nowait()))
    return told


def those(told, kind):
    return [event for _, event in told if isinstance(event, kind)]


def times(told, kind):
    return [at for at, event in told if isinstance(event, kind)]


async def test_what_is_complete_is_answered_before_a_rival_has_decided(open_session):
    session = open_session(Judge("Fifty-six."))
    told = await hear(session, 0.5, QUESTION, 1.0)
    end = 0.5 + len(QUESTION) / 16_000
    assert 0.1 < times(told, Spoken)[0] - end < 0.3
    assert times(told, Spoken)[0] == times(told, TurnStarted)[0]  # it was there already
    (speculated,) = those(told, Speculated)
    assert speculated.kept and speculated.verdict == "finished" and speculated.cost_ms >= 0
    (ended,) = those(told, TurnEnded)
    assert ended.timing.first_token_ms == ended.timing.first_audio_ms == 0 and ended.timing.speech_end_ms < 300
    assert ended.text.strip() == "Fifty-six."


async def test_what_is_not_complete_is_waited_for_and_nothing_of_it_is_lost(open_session):
    memory = Judge("... Go on.", "Sixty-one.")
    session = open_session(memory)
    told = await hear(session, 0.5, QUESTION, 1.5, MORE, 0.6)
    assert len(times(told, TurnStarted)) == 1 and those(told, TurnEnded)[0].text.strip() == "Sixty-one."
    kept = [event.kept for event in those(told, Speculated)]
    assert kept[-1] and not any(kept[:-1]) and len(kept) >= 2
    (clip,) = memory.asked[-1][-1].clips
    whole = (len(QUESTION) + len(MORE)) / 16_000 + 1.5
    assert whole < clip.length / 16_000 < whole + 0.6
    assert [m.text.strip() for m in session.conversation.messages] == ["", "Sixty-one."]


async def test_patience_ends_and_what_stands_behind_the_mark_is_said(open_session):
    session = open_session(Judge("...Go on."))
    told = await hear(session, 0.5, QUESTION, 2.6)
    end = 0.5 + len(QUESTION) / 16_000
    assert 1.9 < times(told, Spoken)[0] - end < 2.3
    assert those(told, TurnEnded)[0].text == "Go on. "
    assert session.conversation.messages[-1].text == "Go on. " and session.conversation.messages[-1].mark == "..."


async def test_half_a_word_that_nothing_follows_asks_for_nothing(open_session):
    session = open_session(Judge("...Go on."))
    word = 0.5 * say("up")[: round(0.28 * 16_000)]
    told = await hear(session, 0.5, word, 2.6)
    assert len(those(told, SpeechSegment)) == 1 and len(those(told, Unasked)) == 1
    assert not those(told, TurnStarted) and session.conversation.messages == [] and session.state is State.LISTENING


async def test_digits_may_go_on(open_session):
    session = open_session(Judge("~You said one two."))
    told = await hear(session, 0.5, QUESTION, 1.6)
    assert 0.95 < times(told, Spoken)[0] - 0.5 - len(QUESTION) / 16_000 < 1.3
    assert "".join(e.text for e in those(told, Spoken)).strip() == "You said one two."


class ByEar:
    """Takes each pause for the end with the next of its probabilities."""

    def __init__(self, *probabilities):
        self.probabilities, self.heard = list(probabilities), []

    def probability(self, samples):
        self.heard.append(len(samples) / 16_000)
        return self.probabilities.pop(0)


@pytest.mark.parametrize(
    "line, probability, low_s, high_s",
    [("Fifty-six.", 0.9, 0.1, 0.3), ("Fifty-six.", 0.1, 0.9, 1.3), ("...Go on.", 0.9, 1.9, 2.3)],
)
async def test_the_ear_makes_more_patient_and_never_less(open_session, line, probability, low_s, high_s):
    ear = ByEar(probability)
    session = open_session(Judge(line), ear=ear)
    told = await hear(session, 0.5, QUESTION, 2.5)
    end = 0.5 + len(QUESTION) / 16_000
    assert low_s < times(told, Spoken)[0] - end < high_s
    assert ear.heard == [pytest.approx(len(QUESTION) / 16_000 + 0.4, abs=0.15)]


async def test_the_ear_is_asked_again_where_the_speaker_goes_on(open_session):
    ear = ByEar(0.1, 0.9)
    session = open_session(Judge("Fifty-six.", "Sixty-one."), ear=ear)
    told = await hear(session, 0.5, QUESTION, 0.6, MORE, 0.4)
    assert "".join(e.text for e in those(told, Spoken)).strip() == "Sixty-one." and not ear.probabilities
    await session.close()


@pytest.mark.skipif(find_spec("pipecat") is not None, reason="Smart Turn is installed here")
def test_an_ear_that_is_not_installed_is_told_with_the_command_that_installs_it():
    with pytest.raises(ConfigError, match=r"Smart Turn is not installed: pip install --no-deps pipecat-ai==\d"):
        VoiceChat(Config(model="echo", voice="tone", smart_turn=True))


async def test_a_model_that_is_not_sure_waits_and_what_it_says_has_no_mark(open_session):
    memory = Judge("Fifty-six.")
    memory.finished = 0.5
    session = open_session(memory)
    told = await hear(session, 0.5, QUESTION, 1.6)
    assert 0.95 < times(told, Spoken)[0] - 0.5 - len(QUESTION) / 16_000 < 1.3
    assert session.conversation.messages[-1].mark == "" and session.conversation.messages[-1].text == "Fifty-six. "


async def test_the_mark_of_an_answer_is_its_own_however_sure_the_model_was(open_session):
    """A typed turn is not begun in secret; a mark that the model never wrote would change what it remembers."""
    memory = Judge("Fifty-six.")
    memory.finished = 0.5
    session = open_session(memory)
    await session.ask("seven times eight")
    await session.idle()
    assert session.conversation.messages[-1].mark == "" and session.conversation.messages[-1].text == "Fifty-six. "


async def test_what_asks_for_nothing_is_not_answered(open_session):
    session = open_session(Judge("#Mm."))
    told = await hear(session, 0.5, QUESTION, 1.0)
    assert session.state is State.LISTENING and session.turn == 0 and session.conversation.messages == []
    assert [e.id for e in those(told, Asked)] == [e.id for e in those(told, Unasked)] != []
    assert [e.kept for e in those(told, Speculated)] == [False]


async def test_fixed_silence_where_that_is_wanted(open_session):
    session = open_session(Judge("...Go on."), Policy(times=EndpointTimes(silence_s=0.5)))
    told = await hear(session, 0.5, QUESTION, 1.0)
    assert 0.45 < times(told, Spoken)[0] - 0.5 - len(QUESTION) / 16_000 < 0.75


async def test_a_sign_of_listening_holds_the_answer_and_it_goes_on_where_it_was(open_session):
    session = open_session(Judge(LONG, asides="#Mm."))
    await session.ask("count")
    told = await hear(session, 1.0)
    begun = session.answering.playback.heard_s(session._now())
    told += await hear(session, HM, 0.6)
    gains = [event.gain for event in those(told, Yielded)]
    assert gains == [0.2, 0.0, 1.0], gains
    onset, held = 1.0, [at for at, e in told if isinstance(e, Yielded)]
    assert held[0] - onset < 0.12 and held[1] - onset < 0.25 and held[2] - held[1] < 0.9
    assert session.state is State.SPEAKING and not those(told, Interrupted)
    played = session.answering.playback.heard_s(session._now())
    assert played == pytest.approx(begun + len(HM) / 16_000 + 0.6 - (held[2] - held[1]), abs=0.07)
    await hear(session, 9.0)
    assert [m.role for m in session.conversation.messages] == ["user", "assistant"]
    assert session.conversation.messages[-1].text.strip() == LONG and session.state is State.LISTENING


async def test_an_interruption_is_silent_at_once_and_sure_a_moment_later(open_session):
    session = open_session(Judge(LONG, "Fifty-six."))
    await session.ask("count")
    told = await hear(session, 1.5, QUESTION, 0.8)
    silent = next(at for at, e in told if isinstance(e, Yielded) and e.gain == 0)
    assert silent - 1.5 < 0.25
    (interrupted,) = those(told, Interrupted)
    assert interrupted.heard_s == pytest.approx(silent - 0.032, abs=0.05) and session.answering.turn == 2
    assert LONG.startswith(interrupted.text.strip()) and session.conversation.messages[1].text in interrupted.text
    after = told[[e for _, e in told].index(interrupted) :]
    assert all(e.turn == 2 for e in those(after, Spoken)) and those(after, Spoken)


async def test_a_short_word_that_is_meant_stops_it(open_session):
    memory = Judge(LONG, "Okay.", asides="Okay.")
    session = open_session(memory)
    await session.ask("count")
    told = await hear(session, 1.5, 0.5 * say("stop"), 1.0)
    assert memory.judged == 1 and len(those(told, Interrupted)) == 1
    assert "".join(e.text for e in those(told, Spoken) if e.turn == 2).strip() == "Okay."


async def test_half_a_sentence_is_waited_for_and_if_no_more_comes_the_answer_goes_on(open_session):
    memory = Judge(LONG, asides="...Go on.")
    session = open_session(memory)
    await session.ask("count")
    told = await hear(session, 1.5, 0.5 * say("but"), 1.0)
    held, on = [at for at, e in told if isinstance(e, Yielded)][1:]
    assert memory.judged == 1 and not those(told, Interrupted) and session.state is State.SPEAKING
    assert 0.7 < on - held < 1.3


async def test_half_a_sentence_that_goes_on_stops_it(open_session):
    memory = Judge(LONG, "Okay.", asides="...Go on.")
    session = open_session(memory)
    await session.ask("count")
    told = await hear(session, 1.5, 0.5 * say("but"), 0.3, QUESTION, 0.5)
    assert len(those(told, Interrupted)) == 1
    assert "".join(e.text for e in those(told, Spoken) if e.turn == 2).strip() == "Okay."


async def test_who_goes_on_when_the_answer_has_hardly_begun_had_not_finished(open_session):
    memory = Judge(LONG, "Fifty-seven.")
    session = open_session(memory)
    told = await hear(session, 0.5, QUESTION, 0.45, MORE, 0.8)
    assert len(those(told, Withdrawn)) == 1 and not those(told, Interrupted)
    (clip,) = memory.asked[-1][-1].clips
    assert clip.length > len(QUESTION) + len(MORE) + 0.4 * 16_000
    assert [m.text.strip() for m in session.conversation.messages if m.text] == ["Fifty-seven."]


@pytest.mark.parametrize("aside", ["Yes.", "...Go on."])  # one more digit is no half sentence
async def test_what_has_no_end_of_its_own_may_go_on_for_longer(open_session, aside):
    memory = Judge("~" + LONG, "~You said one two three.", asides=aside)
    session = open_session(memory)
    told = await hear(session, 0.5, QUESTION, 1.1 + 0.6, 0.5 * say("three"), 1.8)
    assert len(those(told, Withdrawn)) == 1 and not those(told, Interrupted)
    (clip,) = memory.asked[-1][-1].clips
    assert clip.length > len(QUESTION) + 1.7 * 16_000
    assert [m.text.strip() for m in session.conversation.messages if m.text] == ["You said one two three."]


async def test_who_speaks_then_into_what_was_complete_interrupts(open_session):
    session = open_session(Judge(LONG, "Fifty-seven."))
    told = await hear(session, 0.5, QUESTION, 0.9, MORE, 0.8)
    assert not those(told, Withdrawn) and len(those(told, Interrupted)) == 1


async def test_a_client_that_cannot_hold_is_interrupted_at_once(open_session):
    session = open_session(Judge(LONG), Policy())
    await session.ask("count")
    told = await hear(session, 1.5, QUESTION[:8000])
    assert not those(told, Yielded) and times(told, Interrupted)[0] - 1.5 < 0.25


async def test_endless_speech_is_cut_with_a_polite_word_and_does_not_cut_that(open_session):
    memory = Judge("Never asked.")
    session = open_session(memory, times=EndpointTimes(max_turn_s=4.0))
    ramble = np.concatenate([0.5 * say("one two three four five six seven eight nine ten")] * 8)
    told = await hear(session, 0.3, ramble[: 16_000 * 12])
    assert [e.cut for e in those(told, SpeechSegment)] == [True]
    assert "".join(e.text for e in those(told, Spoken)).strip() == TOO_LONG
    assert not those(told, Interrupted) and len(times(told, TurnStarted)) == 1


async def test_a_long_silence_prompts_once(open_session):
    session = open_session(Judge("Hello."), Policy(idle_s=5.0))
    told = await hear(session, 30.0)
    assert len(those(told, Idle)) == 1 and 4.9 < times(told, Idle)[0] < 5.2
    assert "".join(e.text for e in those(told, Spoken)).strip() == STILL_HERE
    told = await hear(session, QUESTION, 20.0)
    assert len(those(told, Idle)) == 1


async def test_a_speculation_that_failed_fails_where_it_is_wanted(open_session):
    class Broken(Judge):
        def reply(self, messages):
            yield "Well, "
            raise RuntimeError("out of memory")

    session = open_session(Broken("x"))
    told = await hear(session, 0.5, QUESTION, 1.5)
    failed = [event for _, event in told if type(event).__name__ == "Failed"]
    assert len(failed) == 1 and "out of memory" in failed[0].message
    await session.close()


async def test_a_model_that_was_not_taught_the_marks_is_told_of_them(open_session):
    memory = Judge("Fifty-six.")
    memory.marks = "told"
    session = open_session(memory, instructions="Be brief.")
    await hear(session, 0.5, QUESTION, 0.5)
    system = memory.asked[-1][0]
    assert system.role == "system" and system.text == instructed("Be brief.")
    assert [m.text for m in session.conversation.messages if m.role == "system"] == ["Be brief."]
    await session.listen(Policy())
    await session.ask("again")
    await session.idle()
    assert memory.asked[-1][0].text == "Be brief."
