"""The stage: a scenario is played to a session, and what its client heard is kept.

The microphone hears the room, the cues and, where a scenario has one, the echo of what the ear plays.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Protocol

import numpy as np

from bench.cast import Cast
from bench.ear import Ear
from bench.questions import room
from bench.record import RATE, Answer, Note, Run, Said
from bench.scenarios import Cue, Scenario
from bench.sounds import decibel, room_response
from voicechat.verdict import Verdict

FRAME_S = 0.02
FRAME = round(FRAME_S * RATE)
LEVEL = 0.5  # of the speaker, who peaks at 0.5 of full scale: this makes it -12 dB
ECHO_S = (0.02, 0.3)
REST_S = 3.0  # after the last cue
QUIET_S = 1.5  # after the last sound of an answer
PATIENCE_S = 8.0  # for what a cue waits for
LONGEST_S = 12.0  # after the last cue


class Partner(Protocol):
    """A session, wherever it is. What it tells goes to `Stage.told`, `Stage.sound` and `Stage.complete`."""

    async def open(self, stage: Stage) -> None: ...

    async def hear(self, samples: np.ndarray, until_s: float) -> None:
        """float32 [n] at 16 kHz, the next 20 ms of the microphone, which end at that time of the stage."""

    async def played(self, answer: Answer, seconds: float) -> None: ...

    async def stopped(self, answer: Answer) -> None:
        """The client has dropped what was left of it."""

    async def remembered(self, answers: list[Answer]) -> dict[str, str]:
        """The words that the conversation keeps of these answers, by id."""

    async def close(self) -> None: ...


class Stage:
    def __init__(self, scenario: Scenario, cast: Cast, number: int, transit_s: float | None = None) -> None:
        """`transit_s`: what the client's network and device add; None leaves it to the scenario."""
        self.scenario, self.cast, self.ear = scenario, cast, Ear()
        voice = f"{cast.speaker.maker} {cast.speaker.name}"
        self._transit_s = scenario.transit_s if transit_s is None else transit_s
        self.run = Run(number, voice, answers=self.ear.answers, transit_s=self._transit_s)
        self._takes = [cue.make(cast) for cue in scenario.cues]  # before the clock runs
        self._delays = [cast.dice.uniform(cue.when.low_s, cue.when.high_s) for cue in scenario.cues]
        self._quiet = room(30.0, cast.dice.randrange(1_000_000))
        self._mixed: list[tuple[int, np.ndarray]] = []  # (first sample, sound)
        self._tail = np.zeros(0, np.float32)
        self._turn_at: list[float] = []
        self._now_s = 0.0
        if scenario.echo_db is not None:
            self._echo_s = cast.dice.uniform(*ECHO_S)
            self._tail = decibel(scenario.echo_db) * room_response(cast.noise)
            self.run.echo = f"{scenario.echo_db:g} dB, {self._echo_s * 1e3:.0f} ms late"

    async def perform(self, partner: Partner, keep: bool = False) -> Run:
        """`keep`: the sound of both sides too."""
        microphone = []
        await partner.open(self)
        try:
            for frame in count():
                self._direct(frame * FRAME_S)
                chunk = self._heard(frame * FRAME)
                microphone.append(chunk)
                self._now_s = end_s = (frame + 1) * FRAME_S
                await partner.hear(chunk, end_s)
                self.ear.play(end_s)
                while self.ear.stopped:
                    await partner.stopped(self.ear.stopped.pop(0))
                if (report := self.ear.report()) is not None:
                    await partner.played(self.ear.answers[-1], report[1])
                if self._over(end_s):
                    break
            await asyncio.sleep(0)
            self.run.remembered = await partner.remembered(self.ear.answers)
        finally:
            await partner.close()
        self.run.stale, self.run.length_s = self.ear.stale, end_s
        self.run.notes += [Note(at_s, "ear", what) for at_s, what in self.ear.log]
        if keep:
            mic = np.concatenate(microphone)
            self.run.sound = np.stack((mic, self.ear.heard(end_s, len(mic))), axis=1)
        return self.run

    # ---- what the session tells, when it tells it -----------------------------------------------

    def told(self, event: dict[str, Any], at_s: float) -> None:
        """An event as JSON, sound and the completion of an answer excepted."""
        fields = [_short(k, v) for k, v in event.items() if k not in UNTOLD and v != "" and v is not None]
        due_s, ear = at_s + self._transit_s, self.ear
        turn = int(event.get("turn") or 0)
        match event["type"]:
            case "turn_started":
                self._turn_at.append(at_s)
                ear.at(due_s, ear.begin, turn, event.get("answer", ""))
            case "yielded":
                ear.at(due_s, ear.turn_down, turn, event["gain"])
            case "interrupted":
                ear.at(due_s, ear.drop, turn)
            case "withdrawn":
                ear.at(due_s, ear.withdraw, turn)
            case "asked":
                self.run.messages += 1
            case "unasked":
                self.run.messages -= 1
            case "failed":
                self.run.failed.append(event["message"])
            case "text_delta" | "state":
                return
        self._note(at_s, "session", " ".join((event["type"], *fields)))

    def sound(self, turn: int, samples: np.ndarray, rate: int, words: str, at_s: float) -> None:
        self.ear.at(at_s + self._transit_s, self.ear.sound, turn, samples, rate, words)

    def complete(self, turn: int, at_s: float) -> None:
        self.ear.at(at_s + self._transit_s, self.ear.complete, turn)

    @property
    def newest(self) -> tuple[Verdict, str | None] | None:
        """What a perfect listener makes of the newest thing that was said, so far, and its answer."""
        spoken = [one for one in zip(self._takes, self.run.said, strict=False) if one[1].part == "speaker"]
        begun = [one for one in spoken if one[1].start_s <= self._now_s]
        if not begun:
            return None
        take, said = begun[-1]
        if self._now_s < said.spans[-1][0]:
            return take.between, None
        if any(answer.began_at > said.end_s and not answer.withdrawn for answer in self.ear.answers):
            return None  # it has its answer: what is heard now is something else
        return take.verdict, take.answer

    # ---- the script -----------------------------------------------------------------------------

    def _direct(self, now_s: float) -> None:
        """Begin every cue whose moment lies in the frame that begins now."""
        while (number := len(self.run.said)) < len(self.scenario.cues):
            cue, take = self.scenario.cues[number], self._takes[number]
            mark_s = self._mark(cue, number)
            start_s = 0.0 if mark_s is None else max(mark_s + self._delays[number], now_s)
            if mark_s is None or start_s >= now_s + FRAME_S:
                return
            gain, at_s, spans = LEVEL * decibel(cue.level_db), start_s, list[tuple[float, float]]()
            for piece in take.pieces:
                self._mixed.append((round(at_s * RATE), (gain * piece).astype(np.float32)))
                spans.append((at_s, at_s + len(piece) / RATE))
                at_s = spans[-1][1] + cue.gap_s
            said = Said(cue.part, cue.when.mark, take.words, take.answer, spans)
            self.run.said.append(said)
            self._note(start_s, cue.part, f"{take.words}  (until {said.end_s:.2f})")

    def _mark(self, cue: Cue, number: int) -> float | None:
        before = self.run.said[-1] if number else None
        match cue.when.mark:
            case "start":
                return 0.0
            case "said":
                return before.end_s if before else 0.0
            case "turn":
                marks = self._turn_at
            case "sounds":
                marks = [answer.sounded_at for answer in self.ear.answers if answer.sounded_at is not None]
        return next((at for at in marks if before is None or at >= before.start_s), None)

    def _heard(self, start: int) -> np.ndarray:
        """float32 [320]: what the microphone hears in the frame that begins at that sample."""
        places = np.arange(start, start + FRAME) % len(self._quiet)
        chunk = self._quiet[places].copy()
        for first, sound in self._mixed:
            low, high = max(start, first), min(start + FRAME, first + len(sound))
            if low < high:
                chunk[low - start : high - start] += sound[low - first : high - first]
        if len(self._tail):
            heard = self.ear.heard((start + FRAME) / RATE - self._echo_s, FRAME + len(self._tail) - 1)
            chunk += np.convolve(heard, self._tail, "valid")
        return np.clip(chunk, -1, 1)

    def _over(self, now_s: float) -> bool:
        said = self.run.said
        last_s = max((one.end_s for one in said), default=0.0)
        if len(said) < len(self.scenario.cues):  # a cue waits for something that may never come
            return now_s > last_s + PATIENCE_S
        sounded_s = max((answer.spans[-1].end_s for answer in self.ear.answers if answer.spans), default=0.0)
        quiet = now_s > max(last_s + REST_S, sounded_s + QUIET_S) and not self.ear.sounding
        return quiet or now_s > last_s + LONGEST_S

    def _note(self, at_s: float, who: str, what: str) -> None:
        self.run.notes.append(Note(at_s, who, what.strip()))


UNTOLD = ("type", "id", "answer", "timing", "read", "written")  # in the timeline


def _short(name: str, value: Any) -> str:
    return f"{name}={value:.2f}" if isinstance(value, float) else f"{name}={value!r}"
