"""Speakers at once, against a real server; and that words for another are found."""

import json
import shutil

import numpy as np
import pytest

from bench import load
from bench.questions import Question

needs_makers = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)


@needs_makers
@pytest.mark.slow
def test_two_speakers_are_answered_at_once_each_its_own_question(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["--sessions", "2", "--turns", "1", "--alone", "1", "--output", str(tmp_path)]
    assert load.main(arguments) == 0
    result = json.loads((tmp_path / "load-mini.json").read_text())
    together = result["together"]
    assert together["sessions"] == together["questions"] == len(together["turns"]) == 2
    assert together["failed"] == 0 and together["leaks"] == []
    assert together["broken_off"] == [] and together["prober_stopped"] is None
    assert len({turn["answer"] for turn in together["turns"]}) == 2
    assert all(100 < turn["client_ms"] < 20_000 for turn in together["turns"])
    assert result["detection"] == "semantic_vad"
    assert result["in_secret"]["wanted"] >= 4 and result["in_secret"]["wasted_s"] >= 0
    assert result["alone"]["voice_to_voice_ms"]["n"] == 1
    assert result["ratio"]["p50"] > 0
    assert together["replies_ms"]["at any time"]["n"] > 20
    assert together["server_cores"] > 0 and together["server_memory_mb"]["peak"] > 100
    assert (tmp_path / "load-mini.png").stat().st_size > 5_000
    assert "p95" in capsys.readouterr().out


@needs_makers
def test_no_two_questions_have_the_same_answer():
    asked = [question for question, _ in zip(load.sums(0), range(30), strict=False)]
    assert len({question.answer for question in asked}) == len({question.words for question in asked}) == 30


def question(words, answer):
    return Question(words, answer, "nobody", np.zeros(0, np.float32))


ONE, TWO = question("one plus one", "One plus one is two."), question("two plus two", "Two plus two is four.")


def told(question, answer=None, heard=None):
    return {"answer": answer or question.answer, "heard": heard or question.words}


@pytest.mark.parametrize(
    ("rows", "ids", "found"),
    [
        ([[told(ONE)], [told(TWO)]], [{"a"}, {"b"}], 0),
        ([[told(ONE, answer="I heard no question.")], [{"failed": "no sound"}]], [{"a"}, {"b"}], 0),
        ([[told(ONE, answer=TWO.answer)], [told(TWO)]], [{"a"}, {"b"}], 1),
        ([[told(ONE, heard=TWO.words)], [told(TWO)]], [{"a"}, {"b"}], 1),
        ([[told(ONE)], [told(TWO)]], [{"a", "c"}, {"b", "c"}], 1),
    ],
)
def test_what_was_meant_for_another_is_found(rows, ids, found):
    assert len(load.leaks([[ONE], [TWO]], rows, ids)) == found


@pytest.mark.parametrize("arguments", [["--sessions", "0"], ["--turns", "0"], ["--sessions", "500"]])
def test_what_cannot_be_measured_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        load.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("python -m bench.load: error: ")


def test_a_server_that_is_not_there_is_told_in_a_line():
    with pytest.raises(SystemExit, match="start `python -m web`"):
        load.model_of("http://localhost:9")
