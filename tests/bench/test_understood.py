"""Voices and their listener: what is read to them, what they say where something is missing, and a short run."""

import json
import re

import pytest
import soundfile

from bench import listener as listeners
from bench import understood
from bench.listener import ListenerError, listener
from bench.understood import answers, last_answer, speech, worst
from bench.wording import words
from voicechat import voices
from voicechat.parts import PartError, Store

READ = [answer for answer in answers() if answer.aloud != answer.written]


@pytest.fixture
def whisper(natural, monkeypatch):
    """The listener and the natural voice are here, as after `make understood`."""
    try:
        Store().folder(listeners.PART)
    except PartError as error:
        pytest.skip(str(error))
    if not (listeners.ENVIRONMENT / "made").exists():
        pytest.skip("make .venv/clients/whisper/made")


def test_two_hundred_answers_of_which_none_is_twice():
    assert len({answer.written for answer in answers()}) == len(answers()) == 200
    assert len(READ) > 30 and sum(answer.written.endswith("?") for answer in answers()) > 15
    for answer in answers():
        assert not re.search(r"[^\w\s.,;:?!'-]|\d", answer.aloud), answer


@pytest.mark.parametrize("answer", READ, ids=lambda answer: answer.written[:40])
def test_the_voices_read_as_a_person_does(answer):
    assert words(answer.written) == words(answer.aloud)


def test_the_worst_are_those_with_most_of_their_words_wrong():
    found = [understood.compared(*pair) for pair in (("a b c d", "a b x y"), ("so", "so"), ("yes", "no"))]
    assert [sentence.said for sentence in worst(found)] == ["yes", "a b c d"]


# ---- what is missing --------------------------------------------------------------------------


def test_a_listener_that_has_not_been_fetched(capsys):
    assert understood.main(["--voice", "tone", "--n", "1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "whisper:base is not on this disk" in line and "python -m voicechat.parts fetch whisper:base" in line


def test_a_voice_that_is_not_known(capsys):
    assert understood.main(["--voice", "nobody"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no voice is called 'nobody'" in line


@pytest.mark.parametrize("arguments", [["--voices", "tone"], ["--n", "0"], ["--demo", "a", "b", "--voice", "tone"]])
def test_what_cannot_be_meant_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        understood.main(arguments)
    assert left.value.code == 2 and "error: " in capsys.readouterr().err


def logged(path, *texts):
    """A log of these answers, as run_local.py writes it."""
    timing = {"timing": {}, "heard": "what"}
    with path.open("a") as log:
        for turn, text in enumerate(texts, 1):
            log.write(json.dumps({"type": "turn_started", "turn": turn, "answer": "a"}) + "\n")
            log.write(json.dumps({"type": "turn_ended", "turn": turn, "text": text, **timing}) + "\n")
    return path


def test_the_answer_is_the_last_one_of_a_log_that_grows(tmp_path):
    logged(tmp_path / "log", "It is 3.", "It is 5.")
    assert last_answer(logged(tmp_path / "log", "It is 7.", "")) == "It is 7."


@pytest.mark.parametrize("content", [None, "", "{", '{"type": "else"}\n'])
def test_a_log_without_an_answer(tmp_path, content, capsys):
    if content is not None:
        (tmp_path / "log").write_text(content)
    assert understood.main(["--demo", str(tmp_path / "a.wav"), str(tmp_path / "log")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "log") in line and line.endswith("make demo")


def test_a_demo_without_its_sound(tmp_path, capsys):
    log = logged(tmp_path / "log", "It is 3.")
    assert understood.main(["--demo", str(tmp_path / "a.wav"), str(log)]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'a.wav'} is not there; make it with: make demo\n"


# ---- with the listener ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_short_run(whisper, capsys):
    assert understood.main(["--voice", "piper:joe", "--n", "2"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"piper:en_US-joe-medium +2 +16 +0.0% +0.0 to 0.0% +0\n", shown) and "written to" not in shown


@pytest.mark.slow
def test_a_demo_is_checked_word_for_word(whisper, tmp_path, capsys):
    voice, wav, log = voices.load("piper:joe"), tmp_path / "a.wav", tmp_path / "log"
    soundfile.write(wav, speech(voice, "It was 186 miles away."), voice.rate)
    for text, code, told in (
        ("It was 186 miles away.", 0, "understood word for word"),
        ("It was 187 miles away.", 1, "1 of 7 words wrong"),
    ):
        assert understood.main(["--demo", str(wav), str(logged(log, text))]) == code
        assert capsys.readouterr().out.splitlines()[-1] == told


def test_a_listener_that_ends(whisper, monkeypatch, tmp_path):
    """At once, and after it has said that it listens."""
    for begins in ("", "import os, json; print(json.dumps({}), flush=True); os.close(0); "):
        monkeypatch.setattr(listeners, "PROGRAM", tmp_path / "ends.py")
        (tmp_path / "ends.py").write_text(f"{begins}raise SystemExit(3)")
        with pytest.raises(ListenerError, match="whisper has ended with exit code 3"), listener() as heard:
            heard(tmp_path / "a.wav")


def test_a_listener_without_its_environment(whisper, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(listeners, "ENVIRONMENT", tmp_path)
    assert understood.main(["--voice", "tone", "--n", "1"]) == 1
    assert capsys.readouterr().err == "whisper has no environment here: make .venv/clients/whisper/made\n"
