"""Voices by name, and what happens with a wrong one."""

import subprocess
import sys

import numpy as np
import pytest

from tts.voice import SpeechChunk, VoiceError, load_voice, voices


@pytest.mark.parametrize(
    ("name", "full", "rate"),
    [
        ("tone", "tone", 16_000),
        ("espeak", "espeak:en-us", 22_050),
        ("espeak:en-gb+f2", "espeak:en-gb+f2", 22_050),
        ("espeak:de", "espeak:de", 22_050),
        ("espeak:fr", "espeak:fr", 22_050),
        ("espeak:en-US+klatt", "espeak:en-US+klatt", 22_050),
    ],
)
def test_names(name: str, full: str, rate: int) -> None:
    voice = load_voice(name)
    assert (voice.name, voice.rate) == (full, rate)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("espaek", "espeak"),
        ("tones", "tone"),
        ("", "tone"),
        ("espeak:", "espeak"),
        ("espeak:en-uk", "espeak:en-us"),
        ("espeak:en-us+f22", "espeak:en-us+f2"),
        ("espeak:en-us+", "espeak:en-us+"),
        ("espeak:../../etc+f2", "espeak:"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(name: str, near: str) -> None:
    with pytest.raises(VoiceError) as error:
        load_voice(name)
    message = str(error.value)
    assert near in message.split("near it: ")[1] and "list all with:" in message and "\n" not in message


def test_every_listed_voice_loads() -> None:
    names = voices()
    assert {"tone", "espeak", "espeak:en-us", "espeak:en-gb", "espeak:de"} <= set(names)
    assert [load_voice(name).name for name in names]


def test_seconds() -> None:
    assert SpeechChunk(np.zeros(11_025, np.float32), 22_050, "").seconds == 0.5


def test_the_tone_loads_no_engine() -> None:
    code = (
        "import sys; from tts.voice import load_voice; load_voice('tone')\n"
        "print([name for name in sys.modules if 'espeak' in name or name == 'tts.engine'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_engine_says_what_to_do() -> None:
    code = (
        "import sys; sys.modules['espeakng_loader'] = None\n"
        "from tts.voice import VoiceError, load_voice\n"
        "try: load_voice('espeak')\n"
        "except VoiceError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout and done.stdout.count("\n") == 1
