"""Whether a server that nobody restarts keeps what it was: conversations without end, faster than real time.

    python -m bench.soak --conversations 5000 --at-once 16

Visitors connect, ask aloud and by keyboard, interrupt, upload a clip, lose their line and come back with the
conversation. Memory is looked at every few seconds; after a warm-up its slope must be flat. When all have left,
at the end of the warm-up and at the end of all, what the server holds is counted, and must be the same.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import io
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bench import report
from bench.census import Census
from bench.drawing import BLUE, RED, SKY, pyplot
from bench.questions import RATE, questions
from bench.served import Served
from bench.visitor import Failed, Visitor
from voicechat.writable import new_folder

WARM = 0.1  # the share of the conversations that are the warm-up
FLAT_MB = 1.0  # per 1,000 conversations
LOOK_S = 5.0
REST_S = 8.0  # for what ends by time: idle connections, transcripts
LOOKS = 5  # so often, at most, before what is left counts as left
SPOKEN = 40  # different questions


async def soak(served: Served, temporary: Path, conversations: int, at_once: int, seed: int) -> dict[str, Any]:
    """All the conversations, and what the server held meanwhile."""
    asked = list(itertools.islice(questions(seed), SPOKEN))
    clip = _clip(asked[0].samples)
    done, failures = 0, []
    deeds: Counter[str] = Counter()
    samples: list[tuple[int, float, float]] = []
    begin, warm = time.monotonic(), round(WARM * conversations)

    async def visit(numbers: Iterator[int]) -> None:
        nonlocal done
        for number in numbers:
            visitor = Visitor(served.url, asked, clip, random.Random(f"{seed} {number}"))
            try:
                deeds.update(await visitor.talk())
            except (Failed, OSError, TimeoutError) as failed:
                failures.append(f"conversation {number}: {report.one_line(failed)}")
            done += 1

    async def visits(numbers: Iterator[int]) -> Census:
        """Those conversations, and what is held when all have left."""
        await asyncio.gather(*(visit(numbers) for _ in range(at_once)))
        await asyncio.sleep(REST_S)
        return await asyncio.to_thread(Census.of, served.pid, served.url, temporary)

    async def look() -> None:
        while True:
            held = await asyncio.to_thread(Census.of, served.pid, served.url, temporary)
            samples.append((done, held.memory_mb, time.monotonic() - begin))
            print(f"\r  {done} of {conversations}, {held.memory_mb:.0f} MB, {len(failures)} failed    ",
                  end="", file=sys.stderr, flush=True)  # fmt: skip
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    # what is made once, or once for each visitor there can be, is there after the warm-up
    before = await visits(iter(range(warm)))
    after = await visits(iter(range(warm, conversations)))
    looking.cancel()
    print(file=sys.stderr)
    for _ in range(LOOKS):
        if not left_over(before.counts(), after.counts()):
            break
        after = await visits(iter(()))
    return {
        "conversations": conversations, "at_once": at_once, "minutes": round((time.monotonic() - begin) / 60, 1),
        "deeds": dict(sorted(deeds.items())), "failed": len(failures), "failures": failures[:20],
        "slope_mb": slope(samples, conversations), "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(after), "samples": [[n, mb, round(s, 1)] for n, mb, s in samples],
    }  # fmt: skip


def slope(samples: Sequence[tuple[int, float, float]], conversations: int) -> float | None:
    """MB per 1,000 conversations, by least squares over what came after the warm-up; None where that is too little."""
    warm = [(n, mb) for n, mb, _ in samples if n >= WARM * conversations]
    if len({n for n, _ in warm}) < 5:
        return None
    return round(1000 * float(np.polyfit(*zip(*warm, strict=True), 1)[0]), 3)


def left_over(before: dict[str, int], after: dict[str, int]) -> dict[str, list[int]]:
    """What there is more of than before: {name: [before, after]}."""
    return {name: [before[name], after[name]] for name in before if after[name] > before[name]}


def draw(result: dict[str, Any], path: Path) -> None:
    plot = pyplot()
    if plot is None:
        return
    figure, axes = plot.subplots(figsize=(10, 4.5), layout="constrained")
    done, memory, _ = zip(*result["samples"], strict=True)
    axes.plot(done, memory, color=SKY, linewidth=1)
    warm = WARM * result["conversations"]
    axes.axvspan(0, warm, color="0.93", label="warm-up")
    if result["slope_mb"] is not None:
        ends = np.array([warm, result["conversations"]])
        kept = [(n, mb) for n, mb in zip(done, memory, strict=True) if n >= warm]
        line = np.polyfit(*zip(*kept, strict=True), 1)
        axes.plot(ends, np.polyval(line, ends), color=RED, label=f"{result['slope_mb']:+.2f} MB per 1,000")
    axes.set(xlabel="conversations", ylabel="MB resident", ylim=(0, 1.15 * max(memory)))
    axes.legend(frameon=False, loc="lower right")
    held = result["after"]
    counts = ", ".join(f"{held[name]} {name}" for name in Census(**held).counts())
    axes.set_title(
        f"{result['conversations']} conversations, {result['at_once']} at once, {result['model']}; "
        f"{result['failed']} failed; held at the end: {counts}\n"
        f"{report.machine_line(result['machine'])}; {result['machine']['date']}",
        fontsize=9, color=BLUE,
    )  # fmt: skip
    figure.savefig(path, dpi=150)
    plot.close(figure)


def show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{result['conversations']} conversations with {result['model']}, {result['at_once']} at once, in "
          f"{result['minutes']} min; {report.machine_line(machine)}, {machine['date']}, "
          f"{machine['commit']}")  # fmt: skip
    print("  " + ", ".join(f"{count} x {deed}" for deed, count in result["deeds"].items()))
    print(f"  failed: {result['failed']}")
    for line in result["failures"]:
        print(f"    {line}")
    before, after = result["before"], result["after"]
    print(
        report.table(
            ("held by the server", "after the warm-up", "at the end"),
            [(name, before[name], after[name]) for name in before],
        )
    )
    print(f"  slope after the warm-up: {result['slope_mb']} MB per 1,000 conversations (at most {FLAT_MB} wanted)")


def _clip(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.5 * samples, RATE, format="FLAC")
    return file.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 all is as it was, 1 something is not."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--conversations", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--model", default="mini", help="of the server that is started")
    parser.add_argument("--voice", default="espeak")
    parser.add_argument("--seed", type=int, default=0, help="another seed does other things")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if min(options.conversations, options.at_once) < 1:
        parser.error("nothing is found out without a conversation: give 1 or more")
    with tempfile.TemporaryDirectory() as temporary:
        serve = ["--model", options.model, "--voice", options.voice, "--seats", str(2 * options.at_once)]
        with Served(serve, temporary=Path(temporary)) as served:
            result = asyncio.run(
                soak(served, Path(temporary), options.conversations, options.at_once, options.seed)
            )  # fmt: skip
    result = {"machine": report.machine(), "model": options.model} | result
    show(result)
    path = report.write(options.output / f"soak-{report.slug(options.model)}.json", result)
    draw(result, path.with_suffix(".png"))
    print(f"written to {path}")
    over = left_over(*(Census(**result[when]).counts() for when in ("before", "after")))
    for name, (before, after) in over.items():
        print(f"  {name}: {before} before, {after} after", file=sys.stderr)
    steep = result["slope_mb"] is not None and result["slope_mb"] > FLAT_MB
    return int(bool(result["failed"] or over or steep))


if __name__ == "__main__":
    sys.exit(main())
