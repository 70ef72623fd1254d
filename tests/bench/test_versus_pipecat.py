"""Two servers asked side by side: what is asked, how an answer is taken, and the sum of it."""

import json
import shutil
from itertools import islice

import numpy as np
import pytest

from bench import versus_pipecat
from bench.contest import Answer, Heard, Ours, Pipecat, answered, row
from bench.questions import RATE, Question
from bench.trials import Trial, paused, plain
from voicechat.terminal.wire import encoded
from voicechat.verdict import Verdict

needs_makers = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)
TONE = 0.5 * np.sin(np.arange(2_400) / 10).astype(np.float32)  # 0.1 s at 24 kHz
TRIAL = Trial(Question("what is one [0.8 s] plus one", "One plus one is two.", "nobody", np.zeros(0, np.float32)), 0.8)


@needs_makers
@pytest.mark.parametrize("pause_s", versus_pipecat.PAUSES_S)
def test_the_pause_is_in_the_sound_and_nobody_would_answer_there(pause_s):
    for trial in islice(paused(0, pause_s), 5):
        samples = trial.question.samples
        loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
        assert np.diff(loud).max() / RATE == pytest.approx(pause_s, abs=0.05)
        first, _, second = trial.question.words.partition(f" [{pause_s:g} s] ")
        assert first and second and trial.question.answer[0] not in "".join(v.value for v in Verdict)
        assert len(trial.heard()) / RATE == pytest.approx(len(samples) / RATE + 0.5, abs=1e-3)


@needs_makers
def test_the_same_seed_asks_the_same():
    for first, second in zip(islice(plain(3), 4), islice(plain(3), 4), strict=True):
        assert first.question.words == second.question.words
        assert np.array_equal(first.question.samples, second.question.samples)


def ours(heard, *events):
    side = Ours("http://localhost:1")
    for at, event in enumerate(events):
        side.take(json.dumps(event), heard, float(at))


def sound(id, samples):
    return {"type": "response.output_audio.delta", "response_id": id, "delta": encoded(samples)}


def done(id, text, status="completed"):
    output = [{"content": [{"transcript": text}]}]
    return {"type": "response.done", "response": {"id": id, "status": status, "output": output}}


def test_our_answers_are_told_apart():
    heard, quiet = Heard(), np.zeros(2_400, np.float32)
    created = [{"type": "response.created", "response": {"id": id}} for id in "ab"]
    ours(heard, created[0], sound("a", TONE), done("a", "", "cancelled"), created[1], sound("b", quiet))
    assert [answer.complete for answer in heard.answers] == [False, False]
    assert heard.answers[0].sounded == pytest.approx(1.0, abs=0.01)
    assert heard.answers[1].sounded is None  # only silence has come
    ours(heard, {"type": "error", "error": {"message": "no"}})
    assert heard.errors == ["no"]


def test_pipecats_answers_are_told_apart():
    heard, side = Heard(), Pipecat("ws://localhost:1")
    pcm = (TONE * 32_767).astype("<i2").tobytes()
    for at, got in enumerate((
        '{"type": "bot-llm-started"}', '{"type": "bot-llm-text", "data": {"text": "Go"}}', pcm,
        '{"type": "user-stopped-speaking"}', '{"type": "bot-llm-started"}',
        '{"type": "bot-llm-text", "data": {"text": "Two."}}', bytes(960), pcm,
        '{"type": "bot-llm-stopped"}',
    )):  # fmt: skip
        side.take(got, heard, float(at))
    assert [(a.text, a.complete) for a in heard.answers] == [("Go", False), ("Two.", True)]
    assert [a.sounded for a in heard.answers] == pytest.approx([2.0, 7.0], abs=0.01)
    assert heard.decided == 3.0


@pytest.mark.parametrize(
    ("sounded", "taken_over", "waited"),
    [
        ([], False, None),
        ([12.3], False, 300.0),
        ([11.0], True, None),
        ([11.0, 12.4], True, 400.0),
        ([9.0], False, None),
    ],
)
def test_what_begins_before_the_question_is_over_is_a_wrong_takeover(sounded, taken_over, waited):
    heard = Heard([Answer("One plus one is two.", at, True) for at in sounded])
    told = row(TRIAL, heard, begun=10.0, ended=12.0)
    assert told["taken_over"] is taken_over
    assert told.get("client_ms") == (pytest.approx(waited) if waited else None)
    assert told["right"] is (waited is not None) and ("failed" in told) is (waited is None)
    assert (answered(heard, 12.0) is None) is (waited is None)


def test_the_ratio_is_ours_over_theirs(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    rows = [
        {"side": side, "pause_s": pause_s, "taken_over": taken, "right": not taken, "decided_ms": ms - 50,
         "client_ms": ms, "late_ms": 1.0}
        for side, ms, taken in (("voicechat", 200.0, False), ("pipecat", 400.0, True), ("pipecat", 3400.0, False))
        for pause_s in (0.0, *versus_pipecat.PAUSES_S)
    ]  # fmt: skip
    mine, theirs = (versus_pipecat.summary([r for r in rows if r["side"] == s]) for s in ("voicechat", "pipecat"))
    assert versus_pipecat.ratio(mine, theirs, "voice_to_voice_ms", "p50") == pytest.approx(200 / 1900, abs=0.01)
    assert versus_pipecat.ratio(mine, theirs, "sure_ms", "p50") == 0.5
    assert theirs["pauses"]["0.8"]["taken_over"] == 1 and theirs["pauses"]["0.8"]["n"] == 2
    machine = {"gpu": None, "cores": 2, "cpu": "a machine", "load": 0.1, "date": "today", "commit": "abc"}
    ratios = {"p50": 0.11, "p95": 0.06, "p50_where_smart_turn_was_sure": 0.5}
    result = {"machine": machine, "model": "mini", "pipecat": "1.14.0", "ours": mine, "theirs": theirs,
              "ratio": ratios, "turns": rows}  # fmt: skip
    versus_pipecat.show(result)
    assert "pause of 0.8 s: wrong takeovers, of 1" in capsys.readouterr().out
    versus_pipecat.draw(result, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 5_000


@pytest.mark.parametrize("arguments", [["--questions", "0"], ["--pauses", "-1"], ["--model", "nowhere"]])
def test_what_cannot_be_measured_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        versus_pipecat.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("python -m bench.versus_pipecat: error: ")


@needs_makers
@pytest.mark.slow
def test_both_are_asked_and_answer(tmp_path):
    if not (versus_pipecat.ENVIRONMENT / "made").exists():
        pytest.skip("pipecat has no environment here: make .venv/clients/pipecat/made")
    assert versus_pipecat.main(["--questions", "2", "--pauses", "0", "--output", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "versus-pipecat.json").read_text())
    assert result["pipecat"] == "1.14.0"
    for side in ("ours", "theirs"):
        assert result[side]["questions"] == 2 and result[side]["failed"] == 0
        assert 100 < result[side]["voice_to_voice_ms"]["p50"] < 6_000
