"""The behaviour as a picture: rates against what is wanted, and every latency as a dot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import report
from bench.drawing import BLUE, RED, SKY, YELLOW, pyplot
from bench.targets import GOOD, SCENARIO

WANTED = {"early": "waits", "answers": "answers", "goes_on": "goes on", "obeys": "falls silent"}
GREY = "0.55"


def draw(result: dict[str, Any], path: Path) -> None:
    """Left a row for each scenario, right the latencies; from sample time where it was measured."""
    plot = pyplot()
    main = result.get("sample_time") or result.get("real_time")
    if plot is None or main is None:
        return
    scenarios = main["scenarios"]
    groups = list(dict.fromkeys(told["group"] for told in scenarios))
    figure = plot.figure(figsize=(13.5, 2.2 + 0.25 * (len(scenarios) + len(groups))), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
    _rates(left.subplots(), scenarios, groups)
    above, below = right.subplots(2, 1)
    _strip(above, _replies(result), (("p50", 300), ("p95", 600)), 1250)
    above.set_xlabel("ms from the last word to the first sound of the answer", loc="right")
    _strip(below, _stops(result), (("p50", 250), ("p95", 400)), 620)
    below.set_xlabel("ms from the first sound of an interruption to silence", loc="right")
    machine, runs = main["machine"], sum(told["runs"] for told in scenarios)
    figure.suptitle(
        f"How turns are taken: {result['model']}, {runs} runs of {len(scenarios)} scenarios with real audio\n"
        f"{report.machine_line(machine)}; {machine['date']}; rates in sample time",
        fontsize=11,
    )
    figure.savefig(path, dpi=150)
    plot.close(figure)


def _rates(axes: Any, scenarios: Sequence[dict[str, Any]], groups: Sequence[str]) -> None:
    place, places, labels = 0.0, [], []
    for group in groups:
        place += 0.35
        axes.text(-1, place, group, ha="right", va="center", fontsize=9, fontweight="bold", color=GREY)
        place += 1
        for told in (told for told in scenarios if told["group"] == group):
            places.append(place)
            labels.append(told["scenario"])
            _bars(axes, place, told)
            place += 1
    axes.set_yticks(places, labels, fontsize=8.5)
    axes.set(xlim=(0, 100), ylim=(place - 0.2, -0.4), xlabel="% of the runs are as they should be")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for colour, label in ((BLUE, "as wanted"), (RED, "below what is wanted"), (SKY, "nothing is demanded")):
        axes.bar(0, 0, color=colour, label=label)
    axes.plot([], [], color="black", linewidth=1.5, label="wanted")
    axes.legend(frameon=False, ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.4, 1.0))


def _bars(axes: Any, place: float, told: dict[str, Any]) -> None:
    """One bar for each outcome that says whether turns were taken as they should be."""
    present = [name for name in WANTED if name in told]
    height = 0.78 / max(1, len(present))
    for number, name in enumerate(present):
        early = name == "early"
        value, limit = (100 - v if early else v for v in (told[name], GOOD[name]))
        centre = place - 0.39 + (number + 0.5) * height
        colour = SKY if not told["counted"] else BLUE if value >= limit else RED
        axes.barh(centre, 100, height * 0.92, color="0.95")
        axes.barh(centre, value, height * 0.92, color=colour)
        if told["counted"]:
            axes.plot([limit, limit], [centre - height / 2, centre + height / 2], color="black", linewidth=1.5)
        inside = value > 22
        axes.text(
            1 if inside else value + 1, centre, f"{WANTED[name]} {value:.0f}", va="center",
            fontsize=6.3 if len(present) > 1 else 7.5, color="white" if inside else RED if colour == RED else "0.3",
        )  # fmt: skip


Strip = tuple[str, list[float], str]
"""Label, milliseconds, colour."""


def _replies(result: dict[str, Any]) -> list[Strip]:
    strips = []
    for key, suffix, colour in (("real_time", ", real time", BLUE), ("sample_time", "", SKY)):
        for label, groups in (
            ("complete questions", ("complete",)), ("digits and letters", ("digits",)),
            ("after a pause in mid-sentence", ("pauses",)), ("after an interruption", ("interrupted",)),
            ("in noise", ("complete in noise",)),
        ):  # fmt: skip
            if key == "sample_time" or label == "complete questions":
                strips.append((label + suffix, _values(result, key, "reply_ms", groups), colour))
    return [strip for strip in strips if strip[1]]


def _stops(result: dict[str, Any]) -> list[Strip]:
    names = [name for name, scenario in SCENARIO.items() if scenario.group == "interrupted"]
    strips = [("all, real time", _values(result, "real_time", "stop_ms", ("interrupted",)), BLUE)]
    strips += [(name, _values(result, "sample_time", "stop_ms", ("interrupted",), name), SKY) for name in names]
    return [strip for strip in strips if strip[1]]


def _values(result: dict[str, Any], part: str, key: str, groups: Sequence[str], name: str = "") -> list[float]:
    runs = result.get(part, {}).get("runs", ())
    mine = [run for run in runs if run["scenario"] in SCENARIO and SCENARIO[run["scenario"]].group in groups]
    return [run[key] for run in mine if key in run and (not name or run["scenario"] == name)]


def _strip(axes: Any, strips: Sequence[Strip], limits: Sequence[tuple[str, float]], most: float) -> None:
    """A row of dots for each; what lies beyond `most` is drawn at the edge."""
    dice = np.random.default_rng(0)
    for place, (_, values, colour) in enumerate(strips):
        places = place + dice.uniform(-0.22, 0.22, len(values))
        axes.scatter(np.minimum(values, most), places, s=16, color=colour, alpha=0.65, linewidth=0)
        for p, tall in ((50, 0.36), (95, 0.26)):
            at = min(report.percentile(values, p), most)
            axes.plot([at, at], [place - tall, place + tall], color="black", linewidth=1.8 if p == 50 else 1)
    for number, (name, limit) in enumerate(limits):
        axes.axvline(limit, color=(YELLOW, RED)[number], linewidth=2, zorder=0, label=f"{name} wanted")
    axes.set_yticks(range(len(strips)), [f"{name}  (n = {len(values)})" for name, values, _ in strips], fontsize=8.5)
    axes.set(xlim=(0, most * 1.03), ylim=(len(strips) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.plot([], [], color="black", linewidth=1.8, label="p50")
    axes.plot([], [], color="black", linewidth=1, label="p95")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), columnspacing=1)
