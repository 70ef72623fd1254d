"""How turns are taken: scripted scenarios on real audio, in sample time and through the WebSocket.

    python -m bench.behaviour --each 20 --realtime --check
    python -m bench.behaviour --only cough --each 5 --show

In sample time computing costs nothing: the figures are those of the turn taking alone, at a client whose
network and device take 30 ms. In real time a server in a process of its own is spoken to, and its figures
hold the machine's time too.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bench import report, scoreboard
from bench.runs import REALTIME, SAMPLE, Task, in_real_time, in_sample_time
from bench.scenarios import SCENARIOS, Scenario
from bench.score import Row
from bench.targets import measured
from voicechat.writable import new_folder


def chosen(only: Sequence[str]) -> list[Scenario]:
    """Those whose name or group holds one of the words; all without any."""
    return [s for s in SCENARIOS if not only or any(word.lower() in f"{s.group} {s.name}".lower() for word in only)]


def tasks(scenarios: Sequence[Scenario], each: int, seed: int) -> list[Task]:
    return [Task(s.name, number, seed) for s in scenarios for number in range(max(1, round(each * s.share)))]


def realtime_tasks(scenarios: Sequence[Scenario], questions: int, seed: int) -> list[Task]:
    """Every scenario once, and complete questions so often that their latency can be told."""
    complete = [s for s in scenarios if s.group == "complete"]
    more = [Task(complete[n % len(complete)].name, 1 + n, seed) for n in range(questions - len(complete)) if complete]
    return tasks(scenarios, 1, seed) + more


def part(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "targets": [target.as_json() for target in measured(rows)],
        "scenarios": scoreboard.figures(rows),
        "runs": [row.as_json() for row in rows],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.behaviour", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=20, help="runs of a scenario in sample time; 0 leaves them out")
    parser.add_argument("--realtime", action="store_true", help="also in real time, through the WebSocket")
    parser.add_argument("--questions", type=int, default=40, help="complete questions in real time")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="scenarios with it in name or group"
    )
    parser.add_argument("--show", type=int, nargs="?", const=3, default=0, metavar="N",
                        help="the timeline of what went wrong, of each scenario's first N (3)")  # fmt: skip
    parser.add_argument("--show-all", action="store_true", help="with --show: also of runs that are as they should be")
    parser.add_argument(
        "--keep", type=new_folder, metavar="FOLDER", help="WAVs of what --show shows: microphone and client"
    )
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    parser.add_argument("--model", default="mini", help="auto, mini, a directory or a hub id")
    parser.add_argument("--voice", default="espeak")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, in sample time")
    parser.add_argument("--seed", type=int, default=0, help="another seed: other voices, words and offsets")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    parser.add_argument("--list", action="store_true", help="the scenarios, and nothing else")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 170)
    scenarios = chosen(options.only)
    if not scenarios:
        parser.error(f"no scenario has {' or '.join(options.only)} in its name or group: see --list")
    if options.list:
        scoreboard.listing(console, scenarios)
        return 0
    if not options.each and not options.realtime:
        parser.error("nothing is measured: give --each 1 or more, or --realtime")
    result: dict[str, Any] = {"model": options.model, "voice": options.voice, "seed": options.seed}
    missed = 0
    for name, wanted in ((SAMPLE, options.each > 0), (REALTIME, options.realtime)):
        if not wanted:
            continue
        if name == SAMPLE:
            rows = in_sample_time(tasks(scenarios, options.each, options.seed), options, console)
        else:
            rows = in_real_time(realtime_tasks(scenarios, options.questions, options.seed), options, console)
        result[name] = {"machine": report.machine(), **part(rows)}
        scoreboard.show(console, name, rows, result[name]["machine"], options.model)
        missed += sum(not target.met for target in measured(rows))
    path = options.output / f"behaviour-{report.slug(options.model)}.json"
    if not options.only:  # a part of the scenarios replaces no result
        scoreboard.keep(path, result)
        console.print(f"written to {path}")
    return int(bool(options.check and missed))


if __name__ == "__main__":
    sys.exit(main())
