"""Our server against a plain pipecat pipeline with its defaults: the same questions, model and voice, in one run.

    make versus

Both are processes on this machine, and both are spoken to over a WebSocket in real time; they are asked in
turn, so both meet the same load. pipecat decides by Silero VAD and Smart Turn v3.2 (`rivals/pipecat_pipeline.py`),
ours by `{"type": "semantic_vad"}`. Each question is a conversation of its own. A wrong takeover is an answer
that begins to sound before the question is over, while its speaker stops to think.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bench import report
from bench.contest import Ours, Pipecat, Side, ask
from bench.drawing import BLUE, RED, pyplot
from bench.served import Served
from bench.trials import Trial, paused, plain
from voicechat.writable import new_folder

ENVIRONMENT = report.ROOT / ".venv" / "clients" / "pipecat"
PROGRAM = Path(__file__).parent / "rivals" / "pipecat_pipeline.py"
PAUSES_S = (0.4, 0.8, 1.5)
SURE_MS = 2000.0  # a turn that pipecat ends later was not judged to be over: its 3 s of silence have passed


@contextmanager
def pipecat(model: Path) -> Iterator[str]:
    """The pipeline in a process of its own; where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    theirs = next(ENVIRONMENT.glob("lib/python*/site-packages"), None)
    if theirs is None or not (ENVIRONMENT / "made").exists():
        raise SystemExit("pipecat has no environment here: make .venv/clients/pipecat/made")
    # What pipecat needs in its versions, and behind it torch and espeak-ng as the server has them.
    path = os.pathsep.join(map(str, (report.ROOT, theirs, sysconfig.get_path("purelib"))))
    command = [ENVIRONMENT / "bin" / "python", PROGRAM, "--port", str(port), "--model", model]
    environment = os.environ | {"PYTHONPATH": path, "ORT_DISABLE_TELEMETRY": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        found = re.search(r"ws://\S+", process.stdout.readline())
        if found is None:
            raise SystemExit("pipecat did not start; its message is above")
        yield found[0]
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


async def contest(sides: Sequence[Side], trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Every trial to every side, each first in turn. The first trial is for what happens only once."""
    rows = []
    for number, trial in enumerate(trials):
        for side in sides if number % 2 else sides[::-1]:
            told = await ask(side, trial)
            if number:
                rows.append(told)
            line = f"question {number} of {len(trials) - 1}: {told.get('client_ms')} ms"
            print(f"\r  {line}    ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def measure(model: Path, count: int, pauses: int, seed: int) -> dict[str, Any]:
    print("  the questions are being spoken ...", file=sys.stderr, flush=True)
    asked = list(islice(plain(seed), 1 + count))
    first, rest = asked[0], asked[1:]
    for pause_s in PAUSES_S:
        rest += islice(paused(seed, pause_s), pauses)
    random.Random(seed).shuffle(rest)
    with Served(["--model", str(model), "--greedy", "--device", "cpu"]) as served, pipecat(model) as url:
        sides = Ours(served.url), Pipecat(url)
        described = report.machine()
        rows = asyncio.run(contest(sides, [first, *rest]))
    ours, theirs = (summary([row for row in rows if row["side"] == side.name]) for side in sides)
    packages = ", ".join(path.name for path in ENVIRONMENT.glob("lib/python*/site-packages/pipecat_ai-*.dist-info"))
    return {
        "machine": described,
        "model": model.name,
        "pipecat": packages.removeprefix("pipecat_ai-").removesuffix(".dist-info"),
        "ours": ours,
        "theirs": theirs,
        "ratio": {p: ratio(ours, theirs, "voice_to_voice_ms", p) for p in ("p50", "p95")}
        | {"p50_where_smart_turn_was_sure": ratio(ours, theirs, "sure_ms", "p50")},
        "turns": rows,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What came of one side's questions."""
    straight = [row for row in rows if not row["pause_s"]]
    answered = [row for row in straight if "failed" not in row]
    decided = [row["decided_ms"] for row in answered if row["decided_ms"] is not None]
    found: dict[str, Any] = {
        "questions": len(straight),
        "right": sum(row["right"] for row in straight),
        "failed": sum("failed" in row for row in rows),
        "taken_over": sum(row["taken_over"] for row in straight),
        "voice_to_voice_ms": percentiles([row["client_ms"] for row in answered]),
        "decided_ms": percentiles(decided),
        "sure_ms": percentiles([row["client_ms"] for row in answered if (row["decided_ms"] or 0) < SURE_MS]),
        "latest_chunk_ms": max(row["late_ms"] for row in rows),
        "pauses": {},
    }
    for pause_s in PAUSES_S:
        those = [row for row in rows if row["pause_s"] == pause_s]
        if those:
            found["pauses"][str(pause_s)] = {
                "n": len(those),
                "taken_over": sum(row["taken_over"] for row in those),
                "right": sum(row["right"] for row in those),
                "voice_to_voice_ms": percentiles([row["client_ms"] for row in those if "failed" not in row]),
            }
    return found


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    found = {p: round(report.percentile(values, float(p[1:])), 1) if values else None for p in ("p50", "p95")}
    return found | {"n": len(values)}


def ratio(ours: dict[str, Any], theirs: dict[str, Any], key: str, p: str) -> float | None:
    pair = ours["voice_to_voice_ms"][p], theirs[key][p]
    return round(pair[0] / pair[1], 2) if all(pair) else None


def show(result: dict[str, Any]) -> None:
    machine, ours, theirs = result["machine"], result["ours"], result["theirs"]
    print(f"{result['model']}, espeak; {report.machine_line(machine)}, load {machine['load']}; "
          f"pipecat {result['pipecat']}; {machine['date']}, {machine['commit']}")  # fmt: skip
    lines: list[list[Any]] = []
    for p in ("p50", "p95"):
        pair = [side["voice_to_voice_ms"][p] for side in (ours, theirs)]
        lines.append([f"last speech sample sent -> first sound, ms, {p}", *pair, result["ratio"][p]])
    pair = [side["decided_ms"]["p50"] for side in (ours, theirs)]
    lines.append(["  of that until the turn is taken for over, ms, p50", *pair, ""])
    for key, name in (("right", "answered rightly"), ("taken_over", "wrong takeovers, nobody paused")):
        lines.append([f"{name}, of {ours['questions']}", ours[key], theirs[key], ""])
    for pause_s, part in ours["pauses"].items():
        other = theirs["pauses"][pause_s]
        for key, name in (("taken_over", "wrong takeovers"), ("right", "answered rightly")):
            lines.append([f"pause of {pause_s} s: {name}, of {part['n']}", part[key], other[key], ""])
    in_all = [sum(part["taken_over"] for part in side["pauses"].values()) for side in (ours, theirs)]
    lines.append([f"wrong takeovers, of {sum(part['n'] for part in ours['pauses'].values())} pauses", *in_all, ""])
    print(report.table(("", "voicechat", "pipecat", "ratio"), lines))
    sure, n = theirs["sure_ms"], theirs["voice_to_voice_ms"]["n"]
    print(
        f"  Smart Turn let pipecat answer {sure['n']} of {n} at once (p50 {sure['p50']} ms, ratio "
        f"{result['ratio']['p50_where_smart_turn_was_sure']}) and the others after three seconds of silence: it was "
        "trained on people, and these voices are synthetic"
    )
    print(
        f"  n = {ours['voice_to_voice_ms']['n']} and {n}; failed: {ours['failed']} and {theirs['failed']}; frames at "
        f"most {max(ours['latest_chunk_ms'], theirs['latest_chunk_ms'])} ms late; both over WebSockets on this "
        "machine, ours with 24-kHz sound in base64, pipecat with 16-kHz sound as bytes"
    )


def draw(result: dict[str, Any], path: Path) -> None:
    """Left, what each question waited; right, how often a pause was taken for the end."""
    plot = pyplot()
    if plot is None:
        return
    figure, (left, right) = plot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for shift, side, colour in ((-0.2, "ours", BLUE), (0.2, "theirs", RED)):
        name = "voicechat" if side == "ours" else f"pipecat {result['pipecat']}"
        rows = [row for row in result["turns"] if (row["side"] == "pipecat") == (side == "theirs")]
        waited = sorted(row["client_ms"] for row in rows if not row["pause_s"] and "failed" not in row)
        share = [100 * (at + 1) / len(waited) for at in range(len(waited))]
        left.step(waited, share, where="post", color=colour, label=f"{name}, n = {len(waited)}", linewidth=2)
        parts = result[side]["pauses"]
        heights = [100 * part["taken_over"] / part["n"] for part in parts.values()]
        bars = right.bar([at + shift for at in range(len(parts))], heights, 0.4, color=colour, label=name)
        right.bar_label(bars, [f"{part['taken_over']} of {part['n']}" for part in parts.values()], fontsize=8)
    left.set(xlabel="ms from the last speech sample sent to the first sound", ylabel="% of the questions")
    left.set(xlim=(0, None), ylim=(0, 101))
    left.legend(frameon=False, loc="lower right")
    right.set_xticks(range(len(result["ours"]["pauses"])), [f"{pause} s" for pause in result["ours"]["pauses"]])
    right.set(xlabel="pause in mid-sentence", ylabel="% answered before the sentence was over", ylim=(0, 110))
    right.legend(frameon=False, loc="upper left")
    machine = result["machine"]
    figure.suptitle(
        f"The same questions, model ({result['model']}) and voice, in turn: {report.machine_line(machine)}; "
        f"{machine['date']}",
        fontsize=10,
    )
    figure.savefig(path, dpi=150)
    plot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.versus_pipecat", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=50, help="said in one go")
    parser.add_argument("--pauses", type=int, default=20, help="with a pause, of each length")
    parser.add_argument("--model", type=Path, default=report.ROOT / "voicechat" / "mini", help="a directory")
    parser.add_argument("--seed", type=int, default=0, help="another seed asks other questions")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if options.questions < 1 or options.pauses < 0:
        parser.error("nothing is measured without a question: give --questions 1 or more, --pauses 0 or more")
    if not (options.model / "config.json").is_file():
        parser.error(f"{options.model} is no model: give a directory with a config.json")
    result = measure(options.model, options.questions, options.pauses, options.seed)
    show(result)
    path = report.write(options.output / "versus-pipecat.json", result)
    draw(result, path.with_suffix(".png"))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
