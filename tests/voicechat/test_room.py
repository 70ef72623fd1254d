"""What is too long is named, with how long it may be; and so much of it is taken."""

import re

import numpy as np
import pytest

from tests.tiny import save_tiny
from voicechat.conversation import Clip, Message
from voicechat.errors import ModelError
from voicechat.flamingo import Flamingo
from voicechat.flamingo.load import MINI
from voicechat.flamingo.room import Kind, Part, too_long

WORDS = "please tell me what seven times eight is and why "


@pytest.mark.parametrize(
    ("instructions", "text", "sound", "told"),
    [
        ((0, 0), (3_000, 12_000), (0, 0), "the typed text has 12,000 characters, of which about 3,800 can be read: "
         "shorten it, or ask in several parts"),
        ((30, 100), (3_000, 12_000), (25, 1), "the typed text has 12,000 characters, of which about 3,500 can be read: "
         "shorten it, or ask in several parts"),
        ((900, 3_600), (100, 400), (100, 4), "the instructions have 3,600 characters, of which about 3,000 can be read "
         "beside the rest of the question: shorten them"),
        ((0, 0), (10, 40), (1_500, 60), "the sound lasts 60 s, of which about 37 s can be heard at once: send a "
         "shorter clip"),
        ((0, 0), (990, 4_000), (1_500, 60), "the sound lasts 60 s, of which about 9 s can be heard at once beside the "
         "rest of the question: send a shorter clip"),
    ],
)  # fmt: skip
def test_the_longest_part_is_named(instructions, text, sound, told):
    kinds = (Kind.INSTRUCTIONS, Kind.TEXT, Kind.SOUND)
    parts = [Part(kind, *part) for kind, part in zip(kinds, (instructions, text, sound), strict=True)]
    assert too_long(parts, 1_000) == told


@pytest.fixture(scope="module")
def flamingo(tmp_path_factory):
    loaded = Flamingo.load(MINI if MINI.is_dir() else save_tiny(tmp_path_factory.mktemp("tiny")), "cpu", greedy=True)
    loaded.context = min(loaded.context, 1_024)
    return loaded


def hiss(seconds: float) -> Clip:
    return Clip((np.random.default_rng(0).standard_normal(round(seconds * 16_000)) * 0.01).astype(np.float32))


BEFORE = [Message("user", "what is 5 + 5"), Message("assistant", "Five plus five is ten.")]


def instructed(text):
    return [Message("system", text), *BEFORE, Message("user", "what is 7 x 8")]


LONG = [
    ("typed text", lambda size: [*BEFORE, Message("user", (WORDS * 300)[:size])], 10_000),
    ("instructions", lambda size: instructed((WORDS * 300)[:size]), 10_000),
    ("sound", lambda size: [*BEFORE, Message("user", "what is this", (hiss(size),))], 90),
]


@pytest.mark.parametrize(("what", "asked", "size"), LONG, ids=[what for what, *_ in LONG])
def test_as_much_as_is_said_can_be_read(flamingo, what, asked, size):
    with pytest.raises(ModelError, match=f"^the {what} ") as failed:
        list(flamingo.memory().reply(asked(size)))
    told = str(failed.value)
    others = {"clip", "typed", "instructions", "sound"} - set(what.split()) - ({"clip"} if what == "sound" else set())
    assert not any(other in told for other in others)
    fits = int(re.search(r"about ([\d,]+)", told)[1].replace(",", ""))
    assert "".join(flamingo.memory().reply(asked(fits)))
    assert fits > size / 20


def test_instructions_that_leave_no_room_are_refused(flamingo):
    told = flamingo.memory().refuses(WORDS * 300)
    fits = int(re.search(r"about ([\d,]+)", told)[1].replace(",", ""))
    assert told.startswith(f"the instructions have {300 * len(WORDS):,} characters, of which about ")
    assert flamingo.memory().refuses((WORDS * 300)[:fits]) == ""
    assert "".join(flamingo.memory().reply(instructed((WORDS * 300)[:fits])))
