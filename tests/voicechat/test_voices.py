"""Voices by name, and the one that speaks where none was chosen."""

import shutil

import numpy as np
import pytest

from tests import little_kokoro
from tts.espeak import Espeak
from tts.voice import VoiceError
from voicechat import voices
from voicechat.chat import VoiceChat
from voicechat.config import Config
from voicechat.parts import parts

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


@pytest.fixture
def little(monkeypatch, tmp_path):
    """Kokoro's network and styles are there: small ones, of other content than the manifest says."""
    monkeypatch.setenv("VOICECHAT_HOME", str(tmp_path))
    folder = little_kokoro.write(tmp_path / "parts" / "kokoro")
    real = parts()["kokoro"]
    files = tuple(file.model_copy(update={"size": None, "sha256": None}) for file in real.files)
    monkeypatch.setitem(parts(), "kokoro", real.model_copy(update={"files": files}))
    return folder


def test_kokoro_speaks_where_it_is_named(little):
    assert voices.default() == "espeak"
    voice = voices.load("kokoro:jf_alpha")
    usual, fast = (sum(chunk.seconds for chunk in each.say("Good morning, how are you today?"))
                   for each in (voice, voices.load("kokoro:jf_alpha", 2.0)))  # fmt: skip
    assert voice.name == "kokoro:jf_alpha" and 1.4 < usual / fast < 2.4


def test_kokoro_leaves_other_languages_to_espeak(little):
    german = "Der Himmel ist blau, weil das Licht gestreut wird."
    chunks = list(voices.load("kokoro:jf_alpha").say(german))
    assert "".join(chunk.text for chunk in chunks) == german and {chunk.rate for chunk in chunks} == {24_000}
    expected = sum(chunk.seconds for chunk in Espeak("de").say(german))
    assert sum(chunk.seconds for chunk in chunks) == pytest.approx(expected, rel=0.02)


def test_a_style_of_its_own_needs_the_network_too(little):
    with pytest.raises(VoiceError, match=r"kokoro:bf_emma is not on this disk; .* fetch kokoro:bf_emma"):
        voices.load("kokoro:bf_emma")
    folder = little.parent / "kokoro--bf_emma"
    folder.mkdir()
    np.ones(510 * 256, "<f4").tofile(folder / "bf_emma.bin")
    assert voices.load("kokoro:bf_emma").name == "kokoro:bf_emma"
    listed = {each.name: each for each in voices.listed()}
    assert listed["kokoro:bf_emma"].here and listed["kokoro:bf_emma"].language == "English (Great Britain)"
    assert listed["kokoro:jf_alpha"].here and not listed["kokoro:af_heart"].here
    (little / "kokoro.onnx").unlink()
    with pytest.raises(VoiceError, match=r"kokoro is not on this disk; .* fetch kokoro"):
        voices.load("kokoro:bf_emma")


@pytest.mark.parametrize("name", ["kokoro", "kokoro:", "kokoro:af_hart", "kokoro:../../etc", "kokoro:jf_alpha/x"])
def test_a_style_that_kokoro_lacks(name):
    with pytest.raises(VoiceError, match=r"Kokoro has no style .* one of these: jf_alpha.*af_heart") as error:
        voices.load(name)
    assert "\n" not in str(error.value)


def test_what_kokoro_takes_on_the_disk():
    listed = {each.name: each for each in voices.listed()}
    for name in ("kokoro:jf_alpha", "kokoro:af_heart"):
        assert not listed[name].here and listed[name].megabytes in (95, 96) and "Apache" in listed[name].licence
        assert f"fetch {'kokoro' if 'jf' in name else name}" in refusal(name)


def refusal(name: str) -> str:
    with pytest.raises(VoiceError) as error:
        voices.load(name)
    return str(error.value)


def test_the_list(natural):
    listed = {each.name: each for each in voices.listed()}
    assert listed[NATURAL].here and listed[NATURAL].megabytes == 63 and "MIT" in listed[NATURAL].licence
    assert listed["espeak:de"].language == "German" and all(each.licence for each in listed.values())
    assert listed[NATURAL].label == "Joe · English (America) · MIT"
    assert not any("whisper" in name for name in listed)  # a part, and no voice


@pytest.mark.parametrize("name", ["xtts", "xtts:Ana Florence", "xtts:/etc/passwd.wav"])
def test_xtts_where_it_was_not_fetched(name):
    assert "xtts is not on this disk" in refusal(name) and refusal(name).endswith("fetch xtts")
    listed = {each.name: each for each in voices.listed()}["xtts"]
    assert listed.label.endswith("17 languages · Coqui Public Model License · to be fetched")
