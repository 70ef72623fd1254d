"""Rates and latencies over many runs, against what is wanted of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench import report
from bench.scenarios import SCENARIOS, Scenario
from bench.score import Row

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}
GOOD = {"early": 5.0, "answers": 95.0, "goes_on": 95.0, "obeys": 98.0, "kept": 100.0}
"""The worst rate, in %, that is good enough: of early answers the most, of everything else the least."""
ASKED = ("complete", "complete in noise", "digits", "pauses")  # groups

Measure = Callable[[Sequence[Row]], tuple[float, int] | None]
"""Rows -> (value, n); None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    measure: Measure
    limit: float
    at_least: bool
    unit: str = "%"


@dataclass(frozen=True, slots=True)
class Measured:
    name: str
    value: float
    n: int
    limit: float
    at_least: bool
    unit: str

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


def share(outcome: str, *groups: str) -> Measure:
    """In %: of the runs in which it was expected; for `early`, of those in which it happened."""

    def measure(rows: Sequence[Row]) -> tuple[float, int] | None:
        found = outcomes(_counted(rows, groups), outcome)
        return (100 * sum(found) / len(found), len(found)) if found else None

    return measure


def outcomes(rows: Sequence[Row], outcome: str) -> list[bool]:
    """Whether it happened: an early answer, any other outcome."""
    return [row.outcomes[outcome] != (outcome == "early") for row in rows if outcome in row.outcomes]


def percentile(of: str, percent: float, *groups: str) -> Measure:
    def measure(rows: Sequence[Row]) -> tuple[float, int] | None:
        found = [value for row in _counted(rows, groups) if (value := getattr(row, of)) is not None]
        return (report.percentile(found, percent), len(found)) if found else None

    return measure


def _stale(rows: Sequence[Row]) -> tuple[float, int] | None:
    return (float(sum(row.stale for row in rows)), len(rows)) if rows else None


def _counted(rows: Sequence[Row], groups: Sequence[str]) -> list[Row]:
    """Of these groups, or of all."""
    return [row for row in rows if not groups or (_of(row).group in groups and _of(row).counted)]


def _of(row: Row) -> Scenario:
    return SCENARIO[row.scenario]


TARGETS = (
    Target("voice to voice, complete questions, p50", percentile("reply_ms", 50, "complete"), 300, False, "ms"),
    Target("voice to voice, complete questions, p95", percentile("reply_ms", 95, "complete"), 600, False, "ms"),
    Target(
        "takeover after a question", share("answers", "complete", "complete in noise", "digits", "pauses"), 95, True
    ),
    Target("takeover in a pause of up to 0.8 s", share("early", "pauses"), 5, False),
    Target("takeover between digits or letters", share("early", "digits"), 5, False),
    Target("takeover where there is nothing to answer", share("early", "nothing to answer"), 5, False),
    Target("interruptions obeyed", share("obeys", "interrupted"), 98, True),
    Target("interruption -> turned down, p50", percentile("lowered_ms", 50, "interrupted"), 100, False, "ms"),
    Target("interruption -> silence, p50", percentile("stop_ms", 50, "interrupted"), 250, False, "ms"),
    Target("interruption -> silence, p95", percentile("stop_ms", 95, "interrupted"), 400, False, "ms"),
    Target("answer goes on: coughs, noises, signs of listening", share("goes_on", "disturbed"), 95, True),
    Target("answer goes on: echo of itself", share("goes_on", "echo"), 95, True),
    Target("remembered text is what was played", share("kept"), 100, True),
    Target("stale pieces of sound", _stale, 0, False, ""),
)


def measured(rows: Sequence[Row]) -> list[Measured]:
    found = [(target, target.measure(rows)) for target in TARGETS]
    return [Measured(t.name, round(m[0], 1), m[1], t.limit, t.at_least, t.unit) for t, m in found if m is not None]
