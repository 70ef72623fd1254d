"""Questions into the page, in a real Chromium; and how its recording is read."""

import json
import shutil

import numpy as np
import pytest

from bench import browser
from bench.questions import Question

RATE = browser.RATE
BURST = np.ones(RATE // 10, np.float32)


def question(words, answer):
    return Question(words, answer, "nobody", BURST)


def line(role, text, start_s):
    return {"role": role, "text": text, "start_s": start_s}


ASKED = [question("one", "One."), question("two", "Two."), question("three", "Three.")]


def test_an_answer_is_found_behind_its_question():
    sound = np.zeros((RATE * 40, 2), np.float32)
    ends = [5.0, 15.0, 25.0]
    for end, wait in zip(ends[:2], (0.25, 1.5), strict=True):
        sound[round((end + wait) * RATE) :][:1000, 1] = 0.1
    told = {
        "transcript": [line("user", "one", 4.0), line("assistant", "One.", 5.25), line("assistant", "Go on.", 16.5)]
    }
    first, second, third = browser.rows(ASKED, ends, sound, told)
    assert first["right"] and first["client_ms"] == 250 and first["answers"] == 1
    assert not second["right"] and second["client_ms"] == 1500 and second["answer"] == "Go on."
    assert third["failed"]


def test_what_is_answered_twice_is_not_right():
    sound = np.full((RATE * 20, 2), 0.1, np.float32)
    told = {"transcript": [line("assistant", "One.", 5.1), line("assistant", "One.", 7.0)]}
    (row,) = browser.rows(ASKED[:1], [5.0], sound, told)
    assert row["answers"] == 2 and not row["right"]


@pytest.mark.parametrize("late", [0, 1_234, -77])
def test_how_late_a_recording_is(late):
    played = np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    around = np.pad(played, 2_000)
    assert browser.lag(around[2_000 - late :], played) == late


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng")
@pytest.mark.skipif(shutil.which("chromium") is None, reason="apt-get install chromium")
def test_a_question_is_asked_in_the_page(tmp_path, capsys):
    pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    assert browser.main(["--questions", "1", "--output", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "browser-mini.json").read_text())
    assert result["failed"] == 0 and result["right"] == 1
    assert 100 < result["client_ms"]["p50"] < 5_000
    assert "Chromium" in capsys.readouterr().out
