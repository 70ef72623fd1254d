"""The scenarios: what is said when, and what should come of it. To add one is to add five lines here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench import cast as c
from bench import sounds


@dataclass(frozen=True, slots=True)
class When:
    """So many seconds after a mark, drawn from a range."""

    mark: Literal["start", "said", "turn", "sounds"]
    low_s: float
    high_s: float

    def __str__(self) -> str:
        return f"{MARKS[self.mark]} + {self.low_s:g}-{self.high_s:g} s"


MARKS = {
    "start": "the beginning",
    "said": "the end of the cue before",
    "turn": "the end of the turn, told by the session",
    "sounds": "the first sound of the answer, at the client",
}
START = When("start", 0.5, 0.9)
TRANSIT_S = 0.03  # network and device: an answer sounds so much later than it is sent


@dataclass(frozen=True, slots=True)
class Cue:
    make: c.Make
    when: When = START
    gap_s: float = 0.0  # between the pieces
    level_db: float = 0.0  # against a speaker at -12 dBFS
    part: Literal["speaker", "noise"] = "speaker"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`expects` names what is scored (bench/score.py): early, answers, goes_on, obeys, right, whole.

    `limit_s`: nobody can speak longer, and an answer after it is none too early. A scenario that is not
    `counted` has no part in the targets.
    """

    name: str
    group: str
    cues: tuple[Cue, ...]
    expects: str
    echo_db: float | None = None  # the answer at the microphone, against the answer at the loudspeaker
    transit_s: float = TRANSIT_S
    limit_s: float | None = None
    share: float = 1.0  # of the runs that others have
    counted: bool = True

    def __post_init__(self) -> None:
        wrong = set(self.expects.split()) - EXPECTED.keys()
        if wrong:
            raise ValueError(f"{self.name!r} expects {', '.join(wrong)}: there are {', '.join(EXPECTED)}")


EXPECTED = {
    "early": "an answer before its time: the takeover rate where it should be 0",
    "answers": "one answer, afterwards: the takeover rate where it should be 1",
    "goes_on": "the answer is played to its end, having stood still for 1.5 s at most, and nothing else is said",
    "obeys": "the answer stops for good within a second",
    "right": "the last answer is the one that was asked for",
    "whole": "the question is one message of the conversation",
}


def sounding(low_s: float, high_s: float) -> When:
    return When("sounds", low_s, high_s)


def after(low_s: float, high_s: float) -> When:
    return When("said", low_s, high_s)


ASKED = Cue(c.question(c.EITHER, long=True))
MORE = c.question(c.EITHER)
LATE_S, MIDDLE_S = (1.6, 2.2), (0.7, 1.4)


def asked(name: str, skills: dict[str, float]) -> Scenario:
    return Scenario(name, "complete", (Cue(c.question(skills)),), "early answers right whole")


def paused(gap_s: float, counted: bool = True) -> Scenario:
    cues = (Cue(c.halves(), gap_s=gap_s),)
    return Scenario(f"pause of {gap_s} s in mid-sentence", "pauses", cues, "early answers right whole", counted=counted)


def disturbed(name: str, make: c.Make, part: Literal["speaker", "noise"] = "noise", level_db: float = 0.0) -> Scenario:
    cues = (ASKED, Cue(make, sounding(0.5, 1.2), level_db=level_db, part=part))
    return Scenario(f"{name}, answer", "disturbed", cues, "goes_on", counted=level_db > -20)


def interrupted(name: str, when: When, *more: Cue, make: c.Make = MORE, transit_s: float = TRANSIT_S) -> Scenario:
    return Scenario(name, "interrupted", (ASKED, Cue(make, when), *more), "obeys answers right", transit_s=transit_s)


def echoed(db: float) -> Scenario:
    return Scenario(f"echo at {db:g} dB, 20-300 ms late", "echo", (ASKED,), "goes_on", echo_db=db)


def alone(name: str, make: c.Make, level_db: float = 0.0, counted: bool = True) -> Scenario:
    cues = (Cue(make, level_db=level_db, part="noise"),)
    return Scenario(f"{name}, nothing plays", "nothing to answer", cues, "early", counted=counted)


SCENARIOS = (
    asked("complete sum", c.SUMS),
    asked("complete visitor's question", c.VISITORS),
    Scenario("digits in one breath", "digits", (Cue(c.question({"digits": 1.0})),), "early answers right whole"),
    Scenario("digits in groups, 0.5 s apart", "digits", (Cue(c.digits, gap_s=0.5),), "early answers right whole"),
    Scenario("letters in groups, 0.5 s apart", "digits", (Cue(c.letters, gap_s=0.5),), "early answers right whole"),
    Scenario(
        "goes on 0.1-0.4 s into the answer", "digits",
        (Cue(c.first_digits), Cue(c.last_digits, sounding(0.1, 0.4), gap_s=0.3)), "answers right whole", counted=False,
    ),
    paused(0.4),
    paused(0.8),
    Scenario(
        "'um', then a pause of 0.8 s", "pauses",
        (Cue(c.halves(filler=True), gap_s=0.8),), "early answers right whole",
    ),
    paused(1.5, counted=False),
    disturbed("cough", c.noise(sounds.cough)),
    disturbed("clicks", c.noise(sounds.clicks)),
    disturbed("keyboard", c.noise(sounds.keyboard)),
    disturbed("claps", c.noise(sounds.claps)),
    disturbed("'uh-huh'", c.listens("uh huh"), "speaker"),
    disturbed("'yeah'", c.listens("yeah"), "speaker"),
    disturbed("other signs of listening", c.listens(), "speaker"),
    disturbed("side talk at -20 dB", c.talk(3.0), level_db=-20.0),
    interrupted("early, 0.3-0.6 s into the answer", sounding(0.3, 0.6)),
    interrupted("in the middle of the answer", sounding(*MIDDLE_S)),
    interrupted("late, 1.6-2.2 s into the answer", sounding(*LATE_S)),
    interrupted(
        "twice within half a second", sounding(*MIDDLE_S), Cue(MORE, after(0.1, 0.25)), make=c.says("no", "wait", "hey")
    ),
    interrupted("in the gap before the first sound", When("turn", 0.0, 0.1), transit_s=0.25),
    Scenario("'stop'", "interrupted", (ASKED, Cue(c.says("stop", "stop it", "please stop", "be quiet"),
             sounding(*MIDDLE_S))), "obeys"),
    Scenario("as loud as the echo, at -12 dB", "interrupted over an echo", (ASKED, Cue(MORE, sounding(*MIDDLE_S))),
             "obeys answers right", echo_db=-12.0),
    echoed(-6.0),
    echoed(-12.0),
    echoed(-20.0),
    echoed(-30.0),
    alone("cough", c.noise(sounds.cough)),
    alone("clicks", c.noise(sounds.clicks)),
    alone("keyboard", c.noise(sounds.keyboard)),
    alone("claps", c.noise(sounds.claps)),
    alone("music", c.music(8.0), level_db=-6.0),
    alone("steady noise", c.hiss(8.0), level_db=-12.0),
    alone("side talk at -20 dB", c.talk(5.0), level_db=-20.0, counted=False),
    Scenario("silence", "nothing to answer", (Cue(c.hiss(10.0), level_db=-60.0, part="noise"),), "early"),
    Scenario("question over music at -20 dB", "complete in noise",
             (Cue(c.music(7.0), level_db=-20.0, part="noise"), Cue(MORE, When("start", 1.2, 1.8))),
             "early answers right"),
    Scenario("question in steady noise at -20 dB", "complete in noise",
             (Cue(c.hiss(7.0), level_db=-20.0, part="noise"), Cue(MORE, When("start", 1.2, 1.8))),
             "early answers right"),
    Scenario("40 s without a pause", "never-ending", (Cue(c.monologue(40.0)),), "early answers", limit_s=31.3,
             share=0.25, counted=False),
)  # fmt: skip
