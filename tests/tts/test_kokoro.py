"""Kokoro's voices: words with their times, short runs that can be left, and folders that hold no voice.

Where the real network has not been fetched, a little one with the same inputs and outputs stands for it.
"""

import json
import re
import shutil
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, save

from tests import little_kokoro
from tests.captions import spoken
from tts.clauses import Clauses, phonemes_of
from tts.kokoro import LONG, Kokoro, evenly, style
from tts.kokoro_symbols import noted
from tts.loudness import LOUDNESS, loudness
from tts.pronunciation import Pronunciation
from tts.voice import VoiceError

SENTENCE = "The sky is blue because of the scattering of light by tiny particles in the air."
MORNING = "Good morning, how are you today?"


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """The folder of a network of a few nodes."""
    return little_kokoro.write(tmp_path_factory.mktemp("little"))


@pytest.fixture(scope="module", params=["little", "kokoro"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def voice(folder):
    return Kokoro(folder, style(folder, "jf_alpha"))


def test_its_name_language_and_rate(voice):
    assert (voice.name, voice.language, voice.rate) == ("kokoro:jf_alpha", "en-us", 24_000)


@pytest.mark.parametrize("text", ["Yes.", SENTENCE, "**Hello** there 😀 friend, ", "One\n\ntwo"])
def test_every_word_is_told_when_it_has_been_said(voice, text):
    sound, told = spoken(voice, text)
    assert len(told) == len(text.split()) - text.count("😀")
    times, seconds = [at for _, at in told], len(sound) / voice.rate
    assert times == sorted(times) and seconds - 0.3 < times[-1] <= seconds + 1e-9  # but for the pause
    assert 0.1 < seconds / len(told) < 0.9  # seconds a word


def test_words_end_where_the_sound_says_so(voice):
    """The longest quiet inside is the pause between the sentences: a word ends before it, and the next one after it."""
    sound, told = spoken(voice, "Good morning. Elephants are animals.")
    inside = sound[: -round(0.3 * voice.rate)]
    loud = np.flatnonzero(np.abs(inside) > 0.02)
    gap = np.diff(loud).argmax()
    begins, ends = loud[gap] / voice.rate, loud[gap + 1] / voice.rate
    assert ends - begins > 0.03
    assert begins - 0.1 < dict(told)["morning. "] < ends + 0.1 and dict(told)["Elephants "] > ends + 0.2


def test_each_word_ends_exactly_where_its_symbols_do(little):
    """The little network is silent in every space."""
    voice = Kokoro(little, style(little, "jf_alpha"))
    sound, told = spoken(voice, "big red dogs like warm milk")
    loud = np.flatnonzero(np.abs(sound) > 0.002)
    ends = [*loud[np.flatnonzero(np.diff(loud) > 300)], loud[-1]]
    assert len(ends) == len(told) == 6
    for (word, at), end in zip(told, ends, strict=True):
        assert end / voice.rate - 0.01 <= at <= end / voice.rate + 0.045, word  # chunks last 0.04 s


def test_it_begins_and_ends_with_speech_and_a_pause_follows(voice):
    for mark, pause_s in ((".", 0.25), (",", 0.12), ("", 0.0)):
        sound, _ = spoken(voice, f"Good morning{mark}")
        end = len(sound) - round(pause_s * voice.rate)
        assert not sound[end:].any()
        for edge in (sound[: voice.rate // 50], sound[end - voice.rate // 50 : end]):
            assert np.abs(edge).max() > 0.002


def test_it_can_be_left_many_times_before_a_clause_sounds(kokoro):
    steps = list(Kokoro(kokoro, style(kokoro, "jf_alpha")).say("Good morning."))
    assert next(at for at, chunk in enumerate(steps) if len(chunk.samples)) > 40


def test_it_can_be_stopped_anywhere_and_speaks_again(voice):
    whole, _ = spoken(voice, "Yes.")
    for count in (0, 1, 3, 30, 50):
        list(islice(voice.say(SENTENCE), count))
    assert np.array_equal(spoken(voice, "Yes.")[0], whole)


@pytest.mark.parametrize("text", ["", " ", "...", "😀", "***", "— –"])
def test_nothing_to_pronounce(voice, text):
    sound, _ = spoken(voice, text)
    assert not sound.any()


def test_speed(folder, voice):
    usual = len(spoken(voice, MORNING)[0])
    slow, fast = (len(spoken(Kokoro(folder, style(folder, "jf_alpha"), speed), MORNING)[0]) for speed in (0.5, 2.0))
    assert 1.5 < slow / usual < 2.4 and 1.4 < usual / fast < 2.4  # a symbol takes one frame at least


@pytest.mark.parametrize("name", ["jf_alpha", "jm_kumo"])
def test_clauses_are_as_loud_as_other_voices(folder, name):
    voice = Kokoro(folder, style(folder, name))
    for text in (MORNING, "I heard a dog and a cello."):
        sound, _ = spoken(voice, text)
        assert loudness(sound, voice.rate) == pytest.approx(LOUDNESS, abs=2.0) and np.abs(sound).max() <= 1


def test_styles_sound_different(folder, voice):
    other, _ = spoken(Kokoro(folder, style(folder, "jm_kumo")), "Yes.")
    assert not np.array_equal(other, spoken(voice, "Yes.")[0])


def runs(text):
    """What is made at once of a text."""
    known = phonemes_of("en-us", "kokoro")
    return Clauses("en-us", lambda part: noted(known(part), "en-us"), LONG, evenly).of(text)


def test_what_is_made_at_once_is_short():
    """However long the text: nothing sounds before all of a run has been made."""
    for text in (SENTENCE * 5, "ab" * 3000, "supercalifragilistic" * 40, "1" * 3000):
        first = list(islice(runs(text), 30))
        assert max(len(run.pronunciation.symbols) for run in first) <= LONG
        assert text.startswith("".join(word for run in first for word in run.written))


@given(st.lists(st.integers(1, 14), min_size=1, max_size=60))
def test_the_runs_of_a_clause_are_alike_and_cut_between_words(lengths):
    symbols = " ".join("a" * length for length in lengths)
    ends = tuple(word.end() for word in re.finditer("a+", symbols))
    pieces = list(evenly(Pronunciation(symbols, ends)))
    assert "".join(piece.symbols for piece in pieces) == symbols
    assert sum(len(piece.ends) for piece in pieces) == len(lengths)
    assert all(len(piece.symbols) <= LONG for piece in pieces)
    assert len(pieces) <= len(symbols) / LONG * 1.35 + 1


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("abc  .,?!\n19é…-'\"(😀中ß"), max_size=40))
def test_whatever_is_written_the_words_add_up(little, text):
    spoken(Kokoro(little, style(little, "jf_alpha")), text)


@pytest.mark.parametrize(
    ("phonemes", "american", "british"),
    [
        ("ɡˈʊd mˈoːɹnɪŋ", "ɡˈʊd mˈɔɹnɪŋ", "ɡˈʊd mˈoːɹnɪŋ"),
        ("tʃˈɜːtʃ dʒˈʌdʒ", "ʧˈɜɹʧ ʤˈʌʤ", "ʧˈɜːʧ ʤˈʌʤ"),
        ("wˈɜːɹk", "wˈɜɹk", "wˈɜːɹk"),
        ("ˈaʊɚ fˈaɪɚ bˈɔɪ dˈeɪ", "ˈWəɹ fˈIəɹ bˈY dˈA", "ˈWəɹ fˈIəɹ bˈY dˈA"),
        ("skˈæɾɚɹɪŋ", "skˈæɾəɹɪŋ", "skˈæɾəɹɪŋ"),
        ("bˈʌʔn\u0329", "bˈʌtᵊn", "bˈʌtᵊn"),
        ("ɡˈoʊ", "ɡˈO", "ɡˈoʊ"),
        ("ɡˈəʊ mˈeəɹi", "ɡˈəʊ mˈAəɹi", "ɡˈQ mˈɛːɹi"),
        ("", "", ""),
    ],
)
def test_the_notation(phonemes, american, british):
    assert (noted(phonemes, "en-us"), noted(phonemes, "en-gb")) == (american, british)


def test_the_network_knows_all_symbols_of_english(kokoro):
    """Nothing that is spoken is dropped."""
    symbols = json.loads((kokoro / "vocab.json").read_text())["vocab"]
    text = f"{SENTENCE} Boys, judges and churches: the bottle, the button, vision, thing, air, hour, beer, poor, uh-oh."
    assert set().union(*(run.pronunciation.symbols for run in runs(text))) <= set(symbols)


# ---- what is no voice -----------------------------------------------------------------------------


def refused(folder, why, name="jf_alpha"):
    with pytest.raises(VoiceError, match=why) as error:
        Kokoro(folder, style(folder, name))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_style_that_is_missing(folder):
    told = refused(folder, "Kokoro has no style 'jf_beta'", "jf_beta")
    assert "there are: jf_alpha" in told and "jm_kumo" in told


def test_a_style_in_a_file_of_its_own(little, tmp_path):
    vectors = np.load(little / "voices_ja.npz")["jm_kumo"]
    vectors.astype("<f4").tofile(tmp_path / "bf_emma.bin")
    voice = Kokoro(little, style(tmp_path, "bf_emma"))
    assert (voice.name, voice.language) == ("kokoro:bf_emma", "en-gb")
    assert np.array_equal(style(tmp_path, "bf_emma").vectors, vectors[:, 0])
    (tmp_path / "af_sky.bin").write_bytes(bytes(1000))
    refused(tmp_path, r"af_sky of Kokoro cannot be read.*250 values.*fetch kokoro:af_sky", "af_sky")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    refused(tmp_path, "cannot be read", "af_nova")


def test_a_folder_that_holds_no_voice(little, tmp_path):
    told = refused(tmp_path, "no style 'jf_alpha'")
    assert told.endswith("there are: none")
    for name in ("voices_ja.npz", "vocab.json", "kokoro.onnx"):
        shutil.copy(little / name, tmp_path / name)
        if name != "kokoro.onnx":
            told = refused(tmp_path, "Kokoro cannot be loaded from")
            assert "`espeak`" in told and "python -m voicechat.parts fetch kokoro" in told
    assert Kokoro(tmp_path, style(tmp_path, "jf_alpha")).rate == 24_000
    for content in ("{}", "no JSON", json.dumps({"vocab": {"a": "b"}})):
        (tmp_path / "vocab.json").write_text(content)
        refused(tmp_path, "vocab.json cannot be used")


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x07" * 100])
def test_a_file_that_is_no_network(little, tmp_path, content):
    shutil.copytree(little, tmp_path / "mine")
    (tmp_path / "mine" / "kokoro.onnx").write_bytes(content)
    refused(tmp_path / "mine", re.escape("kokoro.onnx is not the network of Kokoro"))


@pytest.mark.parametrize("names", [["tokens", "style", "speed"], ["tokens", "style"], ["x"]])
def test_another_network(little, tmp_path, names):
    """The first takes the same, but has no durations."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in [*names, "audio"]]
    graph = helper.make_graph([helper.make_node("Identity", names[:1], ["audio"])], "g", values[:-1], values[-1:])
    shutil.copytree(little, tmp_path / "mine")
    save(helper.make_model(graph), tmp_path / "mine" / "kokoro.onnx")
    refused(tmp_path / "mine", re.escape("kokoro.onnx is not the network of Kokoro"))
