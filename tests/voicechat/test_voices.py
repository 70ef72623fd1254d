"""Voices by name, and the one that speaks where none was chosen."""

import shutil

import pytest

from tts.voice import VoiceError
from voicechat import voices
from voicechat.chat import VoiceChat
from voicechat.config import Config

NATURAL = "piper:en_US-joe-medium"


def test_where_it_was_fetched_the_natural_voice_speaks(natural):
    assert voices.default() == NATURAL and voices.notice() == ""
    assert voices.load().name == voices.load("piper:joe").name == voices.load(NATURAL).name == NATURAL


def test_and_else_espeak_with_a_line_that_says_what_to_do():
    assert voices.load().name == "espeak:en-us"
    assert "python -m voicechat.parts fetch piper:joe" in voices.notice()
    chat = VoiceChat(Config(model="echo"))
    assert (chat.voice.name, chat.hint, chat.notice) == ("espeak:en-us", voices.notice(), "")
    chat.close()


def test_a_voice_that_was_named_must_be_there():
    with pytest.raises(VoiceError, match=r"is not on this disk; .* python -m voicechat.parts fetch piper:en_US-joe"):
        voices.load("piper:joe")
    with pytest.raises(VoiceError, match="no part is called 'piper:jo'"):
        voices.load("piper:jo")
    with pytest.raises(VoiceError, match="no voice is called 'espek'"):
        voices.load("espek")


def test_a_folder_is_for_the_command_line_alone(joe, tmp_path):
    shutil.copytree(joe, tmp_path / "mine")
    assert voices.load_for_operator(f"piper:{tmp_path}/mine").name == NATURAL
    with pytest.raises(VoiceError, match="no part is called"):
        voices.load(f"piper:{tmp_path}/mine")
    with pytest.raises(VoiceError, match="no voice of Piper's can be loaded from none"):
        voices.load_for_operator(f"piper:{tmp_path}/none")


def test_a_broken_voice_is_not_spoken_with(joe, tmp_path, monkeypatch):
    monkeypatch.setenv("VOICECHAT_HOME", str(tmp_path))
    shutil.copytree(joe, tmp_path / "parts" / joe.name)
    assert voices.default() == NATURAL
    model = next((tmp_path / "parts" / joe.name).glob("*.onnx"))
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    assert voices.default() == "espeak"
    with pytest.raises(VoiceError, match="is not what it was"):
        voices.load("piper:joe")


def test_the_list(natural):
    listed = {each.name: each for each in voices.listed()}
    assert listed[NATURAL].here and listed[NATURAL].megabytes == 63 and "MIT" in listed[NATURAL].licence
    assert listed["espeak:de"].language == "de" and all(each.licence for each in listed.values())
    assert not any("whisper" in name for name in listed)  # a part, and no voice
