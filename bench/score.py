"""What came of a run, by what its scenario expects of it.

The measures are those of Full-Duplex-Bench (arXiv 2503.04721): takeover rate, response latency, stop latency.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from bench.record import Answer, Run
from bench.scenarios import TRANSIT_S, Scenario

LATE_S = 4.0  # an answer that comes later comes to nobody
OBEY_S = 1.0
STOOD_S = 1.5  # an answer that stands still for longer, all in all, is not one that goes on
ENOUGH_S = 0.4  # of an answer must be left when it is disturbed
FINE_S = 0.12  # how finely a client of the wire knows when a word is over: a delta's length


@dataclass(slots=True)
class Row:
    """One run in figures. `outcomes` has what the scenario expects, and `kept`; nothing where the run is void."""

    scenario: str
    run: int
    voice: str
    said: str
    answer: str = ""  # the last one, as far as it was played
    void: str = ""  # why the run says nothing: what it was to disturb did not come
    outcomes: dict[str, bool] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    reply_ms: float | None = None  # end of the last speech -> first sound of the answer
    stop_ms: float | None = None  # first sample of the interruption -> silence for good
    lowered_ms: float | None = None  # -> turned down, held or dropped
    held_s: float = 0.0  # that an answer which was not to stop stood still
    resumes: int = 0
    stale: int = 0
    late_ms: float = 0.0  # the latest frame of the microphone, in real time

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", None, [], {})}


def scored(scenario: Scenario, run: Run) -> Row:
    row = Row(scenario.name, run.number, run.voice, " > ".join(one.words for one in run.said))
    row.answer = run.answers[-1].text.strip() if run.answers else ""
    row.stale, row.late_ms = run.stale, round(run.late_s * 1e3, 1)
    row.resumes = sum(answer.resumes for answer in run.answers)
    judge = Judge(scenario, run, row)
    row.void = judge.void()
    if not row.void:
        for name in (*scenario.expects.split(), "kept"):
            wrong = getattr(judge, name)()
            row.outcomes[name] = not wrong
            row.faults += [f"{name}: {wrong}"] if wrong else []
    row.faults += [f"stale: {row.stale} pieces of sound"] if row.stale else []
    row.faults += [f"failed: {message}" for message in run.failed]
    return row


class Judge:
    """A method for each outcome: what is wrong, or "". Latencies go into the row."""

    def __init__(self, scenario: Scenario, run: Run, row: Row) -> None:
        self.scenario, self.run, self.row = scenario, run, row
        self.sounded = [answer for answer in run.answers if answer.sounded_at is not None]
        spoken = [said for said in run.said if said.part == "speaker"]
        self.last_s = spoken[-1].end_s if spoken else run.length_s
        if scenario.limit_s is not None and spoken:
            self.last_s = min(self.last_s, spoken[0].start_s + scenario.limit_s - 0.5)
        self.probe = next((said for said in run.said if said.mark in ("turn", "sounds")), None)
        self.probed = self._probed()

    def _probed(self) -> Answer | None:
        """The answer that is disturbed; without a disturbance, the first."""
        if self.probe is None:
            return next(iter(self.sounded), None)
        told_s = self.probe.start_s + self.run.transit_s
        return next((answer for answer in reversed(self.run.answers) if answer.began_at <= told_s), None)

    def void(self) -> str:
        if len(self.run.said) < len(self.scenario.cues):
            return f"{self.scenario.cues[len(self.run.said)].when.mark!r} never came"
        if not {"goes_on", "obeys"} & set(self.scenario.expects.split()):
            return ""
        if self.probed is None:
            return "no answer came"
        if self.probe is None or not self.probed.complete:
            return ""
        left_s = self.probed.sent_s - self.probed.played_before(self.probe.start_s)
        return f"only {left_s:.1f} s of the answer were left" if left_s < ENOUGH_S else ""

    def early(self) -> str:
        if not self.sounded or self.sounded[0].sounded_at >= self.last_s:  # type: ignore[operator]
            return ""
        return f"an answer sounded at {self.sounded[0].sounded_at:.2f} s"

    def answers(self) -> str:
        after = [at for answer in self.sounded if (at := answer.sounded_at) is not None and at >= self.last_s]
        if not after:
            return "nothing sounded after the last word"
        self.row.reply_ms = round((after[0] - self.last_s) * 1e3, 1)
        if len(after) > 1:
            return f"{len(after)} answers sounded"
        return f"the answer came after {self.row.reply_ms:.0f} ms" if self.row.reply_ms > LATE_S * 1e3 else ""

    def goes_on(self) -> str:
        assert self.probed is not None
        answer, spans = self.probed, self.probed.spans
        self.row.held_s = round(sum(b.start_s - a.end_s for a, b in pairwise(spans)), 3)
        if not answer.played_out:
            return f"{answer.played_s:.2f} of {answer.sent_s:.2f} s of the answer were played"
        if self.row.held_s > STOOD_S:
            return f"the answer stood still for {self.row.held_s:.1f} s, in {answer.resumes} pieces"
        more = [later.text for later in self.sounded if later.turn > answer.turn]
        return f"it also said {more[0]!r}" if more else ""

    def obeys(self) -> str:
        assert self.probed is not None and self.probe is not None
        answer, onset_s = self.probed, self.probe.start_s
        if answer.played_out:
            return "the answer was played to its end"
        softer = [at for at in (*answer.turned_down_at, answer.stopped_at) if at is not None and at >= onset_s]
        self.row.lowered_ms = round((min(softer) - onset_s) * 1e3, 1) if softer else None
        if not answer.spans or answer.spans[-1].end_s < onset_s:
            return ""  # nothing of it was heard by then
        silent_s = answer.spans[-1].end_s - onset_s
        if self.scenario.transit_s == TRANSIT_S:  # else it says more of the way than of the session
            self.row.stop_ms = round(silent_s * 1e3, 1)
        return f"it fell silent after {silent_s * 1e3:.0f} ms" if silent_s > OBEY_S else ""

    def right(self) -> str:
        wanted = next((said.answer for said in reversed(self.run.said) if said.answer), None)
        return "" if wanted in (None, self.row.answer) else f"said {self.row.answer!r} instead of {wanted!r}"

    def whole(self) -> str:
        return "" if self.run.messages == 1 else f"it is {self.run.messages} messages of the conversation"

    def kept(self) -> str:
        """Every answer's remembered text is what was played; of one that was withdrawn, nothing is."""
        fine_s = 0.0 if self.run.exact else FINE_S
        for answer in self.run.answers:
            if answer.stopped_at is None and not answer.played_out:
                continue  # the run was over first
            kept, until_s = _words(self.run.remembered.get(answer.id, "")), answer.played_s
            played = {_words(answer.text_until(until_s + s)) for s in (-fine_s, 0.0, fine_s)}
            if kept not in ({""} if answer.withdrawn else played):
                return f"{kept!r} is remembered and {_words(answer.text)!r} was played"
        return ""


def _words(text: str) -> str:
    return " ".join(text.split())
