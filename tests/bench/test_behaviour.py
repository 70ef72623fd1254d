"""Scenarios on a stage: what the client's ear does, how runs are scored, and a whole run without a model."""

import json
import shutil

import numpy as np
import pytest

from bench import behaviour, cast, scoreboard, sounds
from bench.ear import Ear
from bench.record import RATE, Answer, Run, Said, Span
from bench.scenarios import SCENARIOS, Cue, Scenario, sounding
from bench.score import Row, scored
from bench.stage import Stage
from bench.targets import measured
from bench.timeline import lane

needs_makers = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)
TONE = np.full(RATE // 10, 0.5, np.float32)  # 0.1 s


# ---- sounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sounds.cough, sounds.clicks, sounds.keyboard, sounds.claps])
def test_a_noise_is_short_loud_and_the_same_for_the_same_seed(make):
    first, again, other = (make(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.float32 and np.abs(first).max() == pytest.approx(0.5)
    assert 0.3 * RATE < len(first) < 6 * RATE
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_music_lasts_as_long_as_it_should():
    assert len(sounds.music(1.5, np.random.default_rng(0))) == 1.5 * RATE


# ---- the ear ----------------------------------------------------------------------------------


def answering(*pieces: str) -> Ear:
    """An ear that has been told of an answer of 0.1 s a word, to be played from 0 on."""
    ear = Ear()
    ear.begin(1, "a")
    for words in pieces:
        ear.sound(1, TONE, RATE, words)
    ear.complete(1)
    return ear


def test_an_answer_is_played_to_its_end():
    ear = answering("one ", "two ")
    ear.play(0.15)
    assert ear.answers[0].text == "one " and not ear.answers[0].played_out
    ear.play(0.3)
    assert ear.answers[0].played_out and ear.answers[0].sounded_at == 0
    assert np.flatnonzero(ear.output).size == 0.2 * RATE and len(ear.output) == 0.3 * RATE


def test_an_answer_that_is_held_goes_on_where_it_stood():
    ear = answering("one ", "two ", "three")
    ear.at(0.05, ear.turn_down, 1, 0.2)
    ear.at(0.1, ear.turn_down, 1, 0.0)
    ear.at(0.5, ear.turn_down, 1, 1.0)
    for tick in range(1, 50):
        ear.play(tick * 0.02)
    (answer,) = ear.answers
    assert answer.played_out and answer.resumes == 1 and answer.turned_down_at == [0.05, 0.1]
    assert [(s.start_s, s.end_s, s.gain) for s in answer.spans] == [
        (0.0, pytest.approx(0.05), 1.0), (pytest.approx(0.05), pytest.approx(0.1), 0.2), (0.5, pytest.approx(0.7), 1.0)
    ]  # fmt: skip
    assert np.abs(ear.output[round(0.08 * RATE)]) == pytest.approx(0.1)


def test_what_is_dropped_is_not_played_and_what_comes_after_is_stale():
    ear = answering("one ", "two ")
    ear.at(0.12, ear.drop, 1)
    ear.at(0.13, ear.sound, 1, TONE, RATE, "late")
    ear.at(0.2, ear.begin, 2, "b")
    ear.at(0.2, ear.sound, 1, TONE, RATE, "later")
    ear.at(0.2, ear.sound, 2, TONE, RATE, "new")
    ear.play(0.5)
    first, second = ear.answers
    assert first.text == "one " and first.stopped_at == 0.12 and first.played_s == pytest.approx(0.12)
    assert second.text == "new" and second.sounded_at == pytest.approx(0.2) and ear.stale == 2
    assert ear.stopped == [first]  # the session is still to be told


def test_the_session_is_told_every_100_ms_when_it_stops_and_at_the_end():
    ear = answering("one ", "two ", "three")
    told = []
    ear.at(0.15, ear.turn_down, 1, 0.0)
    ear.at(0.25, ear.turn_down, 1, 1.0)
    for tick in range(1, 30):
        ear.play(tick * 0.02)
        if report := ear.report():
            told.append((round(ear.now_s, 2), round(report[1], 2)))
    assert told == [(0.02, 0.02), (0.12, 0.12), (0.16, 0.15), (0.26, 0.16), (0.36, 0.26), (0.4, 0.3)]


def test_an_answer_at_another_rate_lasts_as_long():
    ear = Ear()
    ear.begin(1, "a")
    ear.sound(1, np.full(2205, 0.5, np.float32), 22_050, "one")
    ear.complete(1)
    ear.play(0.5)
    assert ear.answers[0].played_out and ear.answers[0].played_s == pytest.approx(0.1)
    assert np.flatnonzero(np.abs(ear.output) > 0.1).size == pytest.approx(0.1 * RATE, abs=40)


# ---- the stage --------------------------------------------------------------------------------


class Talker:
    """A session that tells what its script says, when the microphone has come so far."""

    def __init__(self, *script):
        self.script = list(script)
        self.heard, self.reports = [], []

    async def open(self, stage):
        self.stage = stage

    async def hear(self, samples, until_s):
        self.heard.append(samples)
        while self.script and self.script[0][0] <= until_s:
            _, act, *given = self.script.pop(0)
            getattr(self.stage, act)(*given, until_s)

    async def played(self, answer, seconds):
        self.reports.append(seconds)

    async def stopped(self, answer):
        self.reports.append(answer.played_s)

    async def remembered(self, answers):
        return {answer.id: answer.text for answer in answers}

    async def close(self):
        pass


def told(type, **fields):
    return {"type": type, **fields}


def beep(seconds):
    return lambda cast: cast_take(np.full(round(seconds * RATE), 0.5, np.float32))


def cast_take(samples):
    return cast.Take("beep", (samples,))


ANSWER = [("sound", 1, TONE, RATE, "a word ")] * 20


def answer_from(at_s, turn=1):
    started = told("turn_started", turn=turn, answer=f"a{turn}")
    sound = [(at_s, name, turn, *given) for name, _, *given in ANSWER]
    return [(at_s, "told", started), *sound, (at_s, "complete", turn)]


async def test_a_reply_is_timed_from_the_last_sample_of_the_question():
    scenario = Scenario("s", "g", (Cue(beep(1.0)),), "early answers whole")
    talker = Talker((1.9, "told", told("asked")), *answer_from(2.2))
    run = await Stage(scenario, cast.Cast("0"), 0).perform(talker)
    row = scored(scenario, run)
    assert row.outcomes == {"early": True, "answers": True, "whole": True, "kept": True} and not row.faults
    assert row.reply_ms == pytest.approx((2.2 + 0.03 - run.said[0].end_s) * 1e3, abs=21)  # 30 ms of transit
    loud = np.flatnonzero(np.abs(np.concatenate(talker.heard)) > 0.1)
    assert loud[0] == round(run.said[0].start_s * RATE) and len(loud) == RATE
    assert talker.reports[0] > 0 and talker.reports[-1] == pytest.approx(2.0)


async def test_an_interruption_is_timed_from_its_first_sample_to_silence():
    scenario = Scenario("s", "g", (Cue(beep(0.5)), Cue(beep(0.5), sounding(0.5, 0.5))), "obeys")
    held, dropped = told("yielded", turn=1, gain=0.0), told("interrupted", turn=1, heard_s=0.7, text="")
    talker = Talker(*answer_from(1.6), (2.3, "told", held), (2.5, "told", dropped))
    run = await Stage(scenario, cast.Cast("0"), 0).perform(talker)
    row = scored(scenario, run)
    assert row.outcomes["obeys"] and run.said[1].start_s == pytest.approx(run.answers[0].sounded_at + 0.5)
    assert row.stop_ms == row.lowered_ms == pytest.approx((2.3 + 0.03 - run.said[1].start_s) * 1e3, abs=21)
    assert not row.faults and run.answers[0].text == "a word " * 7


async def test_a_cue_that_waits_in_vain_makes_the_run_void():
    scenario = Scenario("s", "g", (Cue(beep(0.5)), Cue(beep(0.5), sounding(0.5, 0.5))), "obeys")
    row = scored(scenario, await Stage(scenario, cast.Cast("0"), 0).perform(Talker()))
    assert row.void and not row.outcomes


async def test_an_echo_comes_so_late_and_so_loud_as_it_should():
    scenario = Scenario("s", "g", (Cue(beep(0.5)),), "goes_on", echo_db=-6.0)
    talker = Talker(*answer_from(1.6))
    stage = Stage(scenario, cast.Cast("0"), 0)
    run = await stage.perform(talker)
    microphone = np.concatenate(talker.heard)
    loud = np.flatnonzero(np.abs(microphone[round(1.5 * RATE) :]) > 0.15)[0] / RATE + 1.5
    assert 0.02 <= loud - run.answers[0].sounded_at <= 0.32
    assert scored(scenario, run).outcomes["goes_on"]


# ---- scores -----------------------------------------------------------------------------------


def a_run(*said, answers=(), **fields):
    return Run(0, "nobody", list(said), list(answers), length_s=9.0, **fields)


def an_answer(turn, start_s, played_s=1.0, sent_s=1.0, stopped_at=None):
    return Answer(
        turn, f"a{turn}", start_s - 0.1, start_s, stopped_at=stopped_at, sent_s=sent_s, played_s=played_s,
        words=[(0.5, "one "), (1.0, "two")], spans=[Span(start_s, start_s + played_s, 1.0)], complete=True,
    )  # fmt: skip


SPOKEN = Said("speaker", "start", "what", "one two", [(0.5, 1.0), (1.8, 2.0)])
PAUSE = Scenario("s", "g", (Cue(beep(1)),), "early answers right")


def test_an_answer_in_a_pause_is_early():
    answers = [an_answer(1, 1.4, 0.5, stopped_at=1.9), an_answer(2, 2.3)]
    row = scored(PAUSE, a_run(SPOKEN, answers=answers, remembered={"a1": "one", "a2": "one two"}))
    assert row.outcomes == {"early": False, "answers": True, "right": True, "kept": True}
    assert row.reply_ms == pytest.approx(300) and len(row.faults) == 1


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ([], "answers right"),
        ([an_answer(1, 2.3), an_answer(2, 5.0)], "answers"),
        ([an_answer(1, 2.3, 0.5)], "right"),
    ],
)
def test_what_is_missing_and_what_is_too_much_is_found(answers, wrong):
    run = a_run(SPOKEN, answers=answers, remembered={a.id: a.text for a in answers})
    assert {name for name, good in scored(PAUSE, run).outcomes.items() if not good} == set(wrong.split())


def test_text_that_was_not_played_must_not_be_remembered():
    run = a_run(SPOKEN, answers=[an_answer(1, 2.3, 0.5, stopped_at=2.8)], remembered={"a1": "one two"})
    assert not scored(PAUSE, run).outcomes["kept"]


def test_an_answer_of_which_nothing_is_left_says_nothing_of_interruptions():
    scenario = Scenario("s", "g", (Cue(beep(1)), Cue(beep(1), sounding(0, 0))), "obeys")
    late = Said("speaker", "sounds", "stop", None, [(3.2, 3.5)])
    assert "0.1 s" in scored(scenario, a_run(SPOKEN, late, answers=[an_answer(1, 2.3)])).void


def test_of_an_answer_that_was_withdrawn_nothing_is_remembered():
    withdrawn = an_answer(1, 2.3, 0.6, stopped_at=2.9)
    withdrawn.withdrawn = True
    for text, kept in (("", True), ("one", False)):
        run = a_run(SPOKEN, answers=[withdrawn], remembered={"a1": text})
        assert scored(PAUSE, run).outcomes["kept"] is kept


def test_a_row_can_be_written():
    assert json.loads(json.dumps(Row("s", 0, "v", "w", void="nothing came").as_json()))["void"] == "nothing came"


def test_a_part_that_was_not_measured_now_stays_in_the_result(tmp_path):
    pytest.importorskip("matplotlib")
    path, row = (
        tmp_path / "result.json",
        Row(SCENARIOS[0].name, 0, "v", "w", outcomes={"answers": True}, reply_ms=200.0),
    )
    part = {"machine": {"gpu": "none", "date": "today"}, **behaviour.part([row])}
    scoreboard.keep(path, {"model": "m", "sample_time": part})
    scoreboard.keep(path, {"model": "m", "real_time": part})
    result = json.loads(path.read_text())
    assert result["sample_time"] == result["real_time"] == part and path.with_suffix(".png").is_file()
    scoreboard.keep(path, {"model": "another", "real_time": part})
    assert "sample_time" not in json.loads(path.read_text())


def test_targets_are_of_the_runs_that_count():
    pause, long = (s.name for s in SCENARIOS if s.name.startswith(("pause of 0.8", "pause of 1.5")))
    rows = [Row(pause, n, "v", "w", outcomes={"early": n > 0, "kept": True}) for n in range(10)]
    rows += [Row(long, 0, "v", "w", outcomes={"early": False})]
    (early,) = [target for target in measured(rows) if target.name.startswith("takeover in a pause")]
    assert (early.value, early.n, early.met) == (10.0, 10, False)


def test_a_lane_shows_what_sounds_what_is_soft_and_what_stands_still():
    assert lane([(0.1, 0.2, 1.0), (0.2, 0.3, 0.2), (0.3, 0.4, 0.0)], 0.5, 0.1) == " █▂·"


def test_no_two_scenarios_have_the_same_name_and_none_expects_what_is_not_known():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 15
    with pytest.raises(ValueError, match="expects earli"):
        Scenario("s", "g", (), "earli")


# ---- the whole --------------------------------------------------------------------------------


@needs_makers
@pytest.mark.slow
def test_a_session_is_rehearsed_in_sample_time(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["--model", "oracle", "--each", "1", "--jobs", "1", "--only", "pause of 0.4", "--show", "--show-all"]
    assert behaviour.main([*arguments, "--check", "--keep", str(tmp_path / "kept"), "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "session  turn_started" in shown and "as it should be" in shown and "missed" not in shown
    assert len(list((tmp_path / "kept").glob("*.wav"))) == 1
    assert not (tmp_path / "behaviour-oracle.json").exists()  # a part replaces no result


def test_speech_begins_and_ends_where_it_can_be_heard():
    breath = np.full(RATE // 5, 0.004, np.float32)
    assert len(cast.speech_of(np.concatenate((breath, TONE, breath)))) == pytest.approx(len(TONE), abs=0.03 * RATE)


@needs_makers
def test_the_pause_of_a_sentence_lies_where_it_cannot_end():
    for seed in range(3):
        take = cast.halves()(cast.Cast(str(seed)))
        first, second = take.words.split(" | ")
        assert len(take.pieces) == 2 and first and second and take.answer


@pytest.mark.parametrize("arguments", [["--only", "nothing like it"], ["--each", "0"]])
def test_what_cannot_be_measured_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        behaviour.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("python -m bench.behaviour: error: ")


def test_the_scenarios_are_listed(capsys):
    assert behaviour.main(["--list", "--only", "digits", "--only", "uh-huh"]) == 0
    listed = capsys.readouterr().out
    assert "'uh-huh', answer" in listed and "digits in groups" in listed and "echo" not in listed
