"""The behaviour's tables: a line for each scenario, and one for each target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench import report
from bench.behaviour_drawing import draw
from bench.scenarios import EXPECTED, Scenario
from bench.score import Row
from bench.targets import GOOD, SCENARIO, Measured, measured, outcomes

HEADS = {
    "early": "early\n-> 0", "answers": "answers\n-> 100", "goes_on": "goes on\n-> 100", "obeys": "obeys\n-> 100",
    "right": "right", "whole": "one turn", "kept": "text kept\n-> 100",
}  # fmt: skip
TIMES = {"reply_ms": "reply, ms\np50  p95", "stop_ms": "silent, ms\np50  p95", "held_s": "held, s\np50"}
TIME_NOTES = {
    "sample_time": "in sample time: computing costs nothing, network and device 30 ms",
    "real_time": "in real time, through the WebSocket, at the client",
}


def figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each scenario: runs, void ones, rates in %, latencies."""
    found = []
    for name in dict.fromkeys(row.scenario for row in rows):
        mine = [row for row in rows if row.scenario == name]
        told: dict[str, Any] = {"scenario": name, "group": SCENARIO[name].group, "counted": SCENARIO[name].counted}
        told |= {"runs": len(mine), "void": sum(bool(row.void) for row in mine)}
        told |= {"resumes": sum(row.resumes for row in mine), "stale": sum(row.stale for row in mine)}
        for outcome in HEADS:
            if happened := outcomes(mine, outcome):
                told[outcome] = round(100 * sum(happened) / len(happened), 1)
        for key in ("reply_ms", "stop_ms", "lowered_ms", "held_s"):
            if values := [value for row in mine if (value := getattr(row, key)) is not None and _tells(row, key)]:
                told[key] = {f"p{p}": round(report.percentile(values, p), 2) for p in (50, 95)} | {"n": len(values)}
        found.append(told)
    return found


def _tells(row: Row, key: str) -> bool:
    return key != "held_s" or row.outcomes.get("goes_on", False)


def show(console: Console, name: str, rows: Sequence[Row], machine: dict[str, Any], model: str) -> None:
    table = Table(title=f"How turns are taken: {model}, {TIME_NOTES[name]}", title_style="bold", title_justify="left",
                  header_style="dim", box=None, padding=(0, 1), pad_edge=False)  # fmt: skip
    table.add_column("scenario", no_wrap=True)
    table.add_column("runs\n(void)", justify="right")
    for head in (*HEADS.values(), *TIMES.values(), "resumes", "stale"):
        table.add_column(head, justify="right", no_wrap=True)
    group = ""
    for told in figures(rows):
        if told["group"] != group:
            group = told["group"]
            table.add_row(Text(group, "bold cyan"))
        table.add_row(*_cells(told))
    console.print(table)
    console.print(
        "[dim]%; `early`: an answer before its time. `held`: how long an answer that went on stood still. "
        "Dim scenarios have no part in the targets. void: what was to be disturbed did not come.[/]"
    )
    console.print(_targets(measured(rows)))
    late_ms = max((row.late_ms for row in rows), default=0.0)
    late = f"; the microphone's latest frame came {late_ms:.0f} ms late" if late_ms else ""
    console.print(f"[dim]{report.machine_line(machine)}, load {machine['load']}; {machine['date']}, "
                  f"{machine['commit']}{late}[/]\n")  # fmt: skip


def _cells(told: dict[str, Any]) -> list[Text]:
    dim = "" if told["counted"] else "dim"
    void = f" ({told['void']})" if told["void"] else ""
    cells = [Text(f"  {told['scenario']}", dim), Text(f"{told['runs']}{void}", "yellow" if void else dim)]
    for outcome in HEADS:
        value = told.get(outcome)
        style = dim
        if value is not None and told["counted"] and outcome in GOOD:
            good = value <= GOOD[outcome] if outcome == "early" else value >= GOOD[outcome]
            style = "green" if good else "bold red"
        cells.append(Text("" if value is None else f"{value:.0f}", style))
    for key in TIMES:
        times = told.get(key)
        if times is None:
            cells.append(Text(""))
        elif key == "held_s":
            cells.append(Text(f"{times['p50']:.2f}" if times["p50"] else "", dim))
        else:
            cells.append(Text(f"{times['p50']:.0f}  {times['p95']:4.0f}", dim))
    cells.append(Text(str(told["resumes"] or ""), dim))
    cells.append(Text(str(told["stale"] or ""), "bold red"))
    return cells


def _targets(found: Sequence[Measured]) -> Table:
    table = Table(title="Targets", title_style="bold", title_justify="left", header_style="dim", box=None,
                  padding=(0, 1), pad_edge=False)  # fmt: skip
    for head in ("", "measured", "wanted", "n", ""):
        table.add_column(head, justify="left" if not head else "right")
    for target in found:
        sign = "≥" if target.at_least else "≤"
        style, mark = ("green", "✓") if target.met else ("bold red", "✗ missed")
        value, limit = (f"{number:g} {target.unit}".strip() for number in (target.value, target.limit))
        table.add_row(f"  {target.name}", Text(value, style), f"{sign} {limit}", str(target.n), Text(mark, style))
    return table


def listing(console: Console, scenarios: Sequence[Scenario]) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    for head in ("group", "scenario", "what comes when", "expected"):
        table.add_column(head)
    for scenario in scenarios:
        whens = "\n".join(f"{cue.part}: {cue.when}" for cue in scenario.cues)
        table.add_row(scenario.group, scenario.name, whens, scenario.expects)
    console.print(table)
    for name, meaning in EXPECTED.items():
        console.print(f"  [bold]{name}[/]: {meaning}")


def keep(path: Path, result: dict[str, Any]) -> None:
    """Write the result and its picture. A part that was not measured now stays as it was."""
    old = json.loads(path.read_text()) if path.is_file() else {}
    merged = {**old, **result} if old.get("model") == result["model"] else result
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_written(merged))
    draw(merged, path.with_suffix(".png"))


def _written(result: dict[str, Any]) -> str:
    """JSON with a line for each run: there are hundreds."""
    parts = {name: part for name, part in result.items() if isinstance(part, dict) and "runs" in part}
    text = json.dumps(result | {name: {**part, "runs": f"runs of {name}"} for name, part in parts.items()}, indent=1)
    for name, part in parts.items():
        runs = ",\n   ".join(json.dumps(run, allow_nan=False) for run in part["runs"])
        text = text.replace(f'"runs of {name}"', f"[\n   {runs}\n  ]")
    return text + "\n"
