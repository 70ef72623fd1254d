"""The embedded model: small, complete, and right with voices that it never heard."""

import random
from pathlib import Path

import numpy as np
import pytest

from tests.speech import say, silence
from training.curriculum import NO_QUESTION, NOT_UNDERSTOOD, VISITORS
from training.evaluate import a_test_line, edits, is_right, outcomes, spoken
from voicechat.chat import VoiceChat
from voicechat.config import Config
from voicechat.conversation import Clip, Message
from voicechat.flamingo import Flamingo
from voicechat.flamingo.load import FILES, MINI, check
from voicechat.verdict import SURE, Verdict, judge, unmarked

pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="voicechat/mini is not there: make train")


@pytest.fixture(scope="module")
def mini():
    return Flamingo.load(MINI, "cpu")


def ask(memory, *messages: Message) -> str:
    return "".join(memory.reply(messages))


def test_it_is_a_small_hugging_face_checkpoint():
    check(MINI)
    files = {p.name for p in Path(MINI).iterdir()}
    assert {*FILES, "model.safetensors"} <= files
    assert sum(p.stat().st_size for p in Path(MINI).rglob("*") if p.is_file()) <= 15e6


@pytest.mark.parametrize(("skill", "at_least"), [("sums", 0.8), ("digits", 0.7), ("visitors", 0.8), ("other", 0.7)])
def test_unheard_voices_are_answered(mini, skill, at_least):
    done = list(outcomes(mini, skill, 20, random.Random(f"ci {skill}")))
    wrong = [(o.voice, o.asked, o.answer) for o in done if not o.right]
    assert len(wrong) <= round(20 * (1 - at_least)), wrong


@pytest.mark.parametrize(
    ("skill", "at_least"), [("unfinished", 0.6), ("listening", 0.6), ("paused", 0.8), ("letters", 0.6)]
)
def test_it_knows_whether_the_speaker_has_finished(mini, skill, at_least):
    done = list(outcomes(mini, skill, 20, random.Random(f"ci {skill}")))
    wrong = [(o.voice, o.asked, o.answer) for o in done if not o.judged]
    assert len(wrong) <= round(20 * (1 - at_least)), wrong


def test_it_takes_down_what_was_said(mini):
    rng, wrong, words = random.Random("ci words"), 0, 0
    for _ in range(20):
        line = a_test_line(rng.choice(("sums", "digits", "visitors")), rng)
        heard = "".join(mini.memory().transcribe(spoken(line, rng)[0].clips[0]))
        wrong, words = wrong + edits(line.words.split(), heard.split()), words + len(line.words.split())
    assert wrong / words <= 0.12, f"{wrong} of {words} words"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("What is seven times eight?", "Seven times eight is fifty-six."),
        ("what is 7 x 8", "Seven times eight is fifty-six."),
        ("12 - 5", "Twelve minus five is seven."),
        ("Repeat five five one two.", "You said five five one two."),
        ("Who are you?", VISITORS["name"][0]),
        ("is my voice sent anywhere", VISITORS["privacy"][0]),
        ("where did the captain put the yellow bird", NOT_UNDERSTOOD),
    ],
)
def test_typed_questions(mini, typed, answer):
    assert ask(mini.memory(), Message("user", typed)).strip() == answer


SEVEN_TIMES_EIGHT = (
    """
what is seven times eight|What is seven times eight?|WHAT IS SEVEN TIMES EIGHT|What Is Seven Times Eight ?
what's seven times eight|What’s seven times eight?|what‘s 7 times 8|“what is 7 x 8”|"what is 7 x 8?"|(7 x 8)
7 × 8 =|7*8|7 * 8|7x8|7 X 8|7 x 8 = ?|7*8=|7·8|7 ⋅ 8|７ × ８|7✕8|seven * eight|seven × eight|7 times eight
what is 7 times 8 🙂|👋🏽 what is 7 x 8|  what   is 7 x 8  |what is 7\ttimes 8|what is 7\u00a0times\u200b 8|7 x 8???
""".strip()
    .replace("\n", "|")
    .split("|")
)
TYPED = {
    **dict.fromkeys(SEVEN_TIMES_EIGHT, "Seven times eight is fifty-six."),
    "what is 7\ntimes 8": "Seven times eight is fifty-six.",
    "what is\r\n7 times 8\n": "Seven times eight is fifty-six.",
    "12 – 5": "Twelve minus five is seven.",
    "12 − 5 =": "Twelve minus five is seven.",
    "12+5=?": "Twelve plus five is seventeen.",
    "5 5 5\n1 2": "You said five five five one two.",
    "REPEAT 555-12": "You said five five five one two.",
    "Repeat 555.12!": "You said five five five one two.",
    "HELLO": VISITORS["hello"][0],
    "Hi 👋": VISITORS["hello"][0],
    "héllo!": VISITORS["hello"][0],
    "WHO ARE YOU???": VISITORS["name"][0],
    "who’re you": VISITORS["name"][0],
    "Who's this?": VISITORS["name"][0],
    "what’s your name?": VISITORS["name"][0],
    "how’s it going": VISITORS["well"][0],
    "Tell me a joke, please!!!": VISITORS["joke"][0],
    "THANK YOU 🙏": VISITORS["thanks"][0],
    "12 %": NOT_UNDERSTOOD,
    "7²": NOT_UNDERSTOOD,
    "👋🏽👋🏽": NOT_UNDERSTOOD,
    "日本語": NOT_UNDERSTOOD,
}


@pytest.fixture(scope="module")
def greedy():
    return Flamingo.load(MINI, "cpu", greedy=True)


@pytest.mark.parametrize("typed", TYPED)
def test_however_it_is_typed(greedy, typed):
    assert ask(greedy.memory(), Message("user", typed)).strip() == TYPED[typed]


def test_what_was_typed_is_shown_as_it_was_typed(greedy):
    """Only the model reads plain words."""
    typed = Message("user", "WHAT IS 7 × 8 =")
    assert ask(greedy.memory(), typed, Message("assistant", "Seven times eight is fifty-six."), typed)
    assert typed.text == "WHAT IS 7 × 8 ="


def test_voice_and_keyboard_in_one_conversation(mini):
    right = [o.right for o in outcomes(mini, "mixed", 10, random.Random("ci mixed"))]
    assert sum(right) >= 8


def test_no_question_no_answer(mini):
    for sound in (silence(1.5), np.zeros(16_000, np.float32), silence(1.0) * 300):
        told = ask(mini.memory(), Message("user", "", (Clip(sound),)))
        assert judge(told) is Verdict.ASIDE and unmarked(told) == NO_QUESTION  # a session does not say it
    assert sum(o.right for o in outcomes(mini, "nothing", 20, random.Random("ci nothing"))) >= 17


def test_it_is_right_about_what_is_right(mini):
    """The marking itself: an answer to another question is not right."""
    rng = random.Random(0)
    line, other = a_test_line("sums", rng), a_test_line("sums", rng)
    assert not is_right(line, other.answer)


async def test_who_speaks_longer_than_it_can_hold_is_stopped_before_that(mini):
    """What fits is answered; a turn that does not would be an error."""
    longest = Clip(silence(mini.longest_s))
    assert ask(mini.memory(), Message("user", "", (longest,)))
    async with VoiceChat(Config(model="mini", voice="tone")) as chat:
        assert chat.session().policy.times.max_turn_s == mini.longest_s


def test_how_sure_it_is_that_a_question_is_over(mini):
    memory = mini.memory()
    sure = []
    for text in ("what is seven times eight", "what is seven times"):
        ask(memory, Message("user", "", (Clip(np.concatenate([0.5 * say(text), silence(0.2)])),)))
        sure.append(memory.finished)
    assert sure[0] > SURE and 0 <= sure[1] < 1 - SURE
