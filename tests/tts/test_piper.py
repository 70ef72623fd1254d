"""Piper's voices: sound that begins soon, words with their times, and folders that hold no voice."""

import json
import re
import shutil
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.captions import spoken
from tts.piper import Piper
from tts.voice import VoiceError

SENTENCE = "The sky is blue because of the scattering of light by tiny particles in the air."
LONG = f"{SENTENCE[:-1]}, and at sunset the light passes through more of it, which is why the sun looks red then."


@pytest.fixture(scope="module")
def voice(joe):
    return Piper(joe)


def level(samples):
    return 10 * np.log10(np.mean(samples**2) + 1e-12)


def test_its_name_language_and_rate(voice):
    assert (voice.name, voice.language, voice.rate) == ("piper:en_US-joe-medium", "en-us", 22_050)


@pytest.mark.parametrize("text", ["Yes.", SENTENCE, LONG, "**Hello** there 😀 friend, ", "One\n\ntwo"])
def test_every_word_is_told_when_it_has_been_said(voice, text):
    sound, told = spoken(voice, text)
    assert len(told) == len(text.split()) - text.count("😀")
    times = [at for _, at in told]
    assert (
        times == sorted(times) and len(sound) / voice.rate - 0.26 < times[-1] <= len(sound) / voice.rate
    )  # but for the pause
    assert 0.1 < len(sound) / voice.rate / len(told) < 0.9  # seconds a word


def test_words_end_where_the_sound_says_so(voice):
    """The longest quiet inside is the pause between the sentences: a word ends before it, and the next one after it."""
    sound, told = spoken(voice, "Good morning. Elephants are animals.")
    inside = sound[: -round(0.3 * voice.rate)]
    loud = np.flatnonzero(np.abs(inside) > 0.02)
    gap = np.diff(loud).argmax()
    begins, ends = loud[gap] / voice.rate, loud[gap + 1] / voice.rate
    assert ends - begins > 0.03
    assert begins - 0.1 < dict(told)["morning. "] < ends + 0.1 and dict(told)["Elephants "] > ends + 0.2


def test_it_begins_and_ends_with_speech_and_a_pause_follows(voice):
    for mark, pause_s in ((".", 0.25), (",", 0.12), ("", 0.0)):
        sound, _ = spoken(voice, f"Good morning{mark}")
        end = len(sound) - round(pause_s * voice.rate)
        assert not sound[end:].any()
        assert (
            np.abs(sound[: voice.rate // 50]).max() > 0.002
            and np.abs(sound[end - voice.rate // 50 : end]).max() > 0.002
        )


def test_the_first_sound_does_not_wait_for_the_rest(voice):
    """Steps, not seconds: each is one run of a part of the network."""
    steps = voice.say(SENTENCE)
    before = next(at for at, chunk in enumerate(steps) if len(chunk.samples))
    assert before <= 9 and sum(1 for _ in steps) > 100


def test_it_can_be_stopped_anywhere_and_speaks_again(voice):
    for count in (0, 1, 3, 10):
        list(islice(voice.say(SENTENCE), count))
    assert len(spoken(voice, "Yes.")[0]) > 0


@pytest.mark.parametrize("text", ["", " ", "...", "😀", "***", "— –"])
def test_nothing_to_pronounce(voice, text):
    sound, _ = spoken(voice, text)
    assert not sound.any()


def test_speed(joe, voice):
    usual, slow, fast = (len(spoken(Piper(joe, speed), SENTENCE)[0]) for speed in (1.0, 0.5, 2.0))
    assert 1.5 < slow / usual < 2.4 and 1.4 < usual / fast < 2.4  # a symbol takes one frame at least


def test_clauses_are_equally_loud(voice):
    levels = [level(spoken(voice, text)[0]) for text in (SENTENCE, LONG, "Good morning, how are you today?")]
    assert max(levels) - min(levels) < 3.0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("abc  .,?!\n19é…-'\"(😀中ß"), max_size=30))
def test_whatever_is_written_the_words_add_up(voice, text):
    spoken(voice, text)


@pytest.mark.parametrize(
    "text",
    ["A." * 20_000, "1" * 3000, "ab" * 3000, "supercalifragilistic" * 40],
    ids=["dots", "digits", "letters", "syllables"],
)
def test_an_endless_word_sounds_soon_in_little_memory_and_is_told_as_it_goes(voice, text):
    """It killed the process, wanted 5 GB, or kept every voice waiting for a minute."""
    before, began = memory_mb(), time.monotonic()
    chunks = list(islice(voice.say(text), 30))
    assert time.monotonic() - began < 30, "some 2 s on an idle machine"
    assert sum(chunk.seconds for chunk in chunks) > 0.5 and memory_mb() < before + 150
    assert text.startswith("".join(chunk.text for chunk in chunks))


def memory_mb():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000


def test_a_folder_that_holds_no_voice(tmp_path, joe):
    def refused(why):
        with pytest.raises(VoiceError, match=why) as error:
            Piper(tmp_path)
        assert "\n" not in str(error.value) and "`espeak`" in str(error.value)

    refused("no voice of Piper's")
    (tmp_path / "a.onnx").write_bytes(b"no network")
    refused("a.onnx.json")
    description = json.loads(next(joe.glob("*.onnx.json")).read_text())
    for change, why in (
        ({"audio": {}}, "its description cannot be used"),
        ({"phoneme_type": "text"}, "its description cannot be used"),
        ({}, "is not the network"),
    ):
        (tmp_path / "a.onnx.json").write_text(json.dumps(description | change))
        refused(why)
    (tmp_path / "b.onnx").write_bytes(b"")
    refused("one NAME.onnx")


def test_a_language_that_nobody_knows(tmp_path, joe):
    shutil.copy(next(joe.glob("*.onnx")), tmp_path / "a.onnx")
    description = json.loads(next(joe.glob("*.onnx.json")).read_text()) | {"espeak": {"voice": "xx"}}
    (tmp_path / "a.onnx.json").write_text(json.dumps(description))
    with pytest.raises(VoiceError, match="speaks xx, which espeak-ng does not know"):
        Piper(tmp_path)
