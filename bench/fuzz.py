"""Rude clients by the million against a real server, and whether anything of it is noticed.

    python -m bench.fuzz --messages 1000000

Several connections at once send what is right, wrong, cut short, twice, out of order and in the middle of anything, and
drop and come back. What each is told must fit together and be its own; behind them an honest client is served as ever.
What fails is shown as the fewest steps that fail. Another seed takes other steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from bench import report
from bench.census import Census
from bench.crowd import Failed, World, crowd_of
from bench.served import Served
from voicechat.writable import new_folder

SERVER = ["--model", "echo", "--voice", "tone", "--seats", "16"]
CHUNK = 50  # examples between two looks at how many messages there were
STEPS = 30  # of an example
USUAL = 20  # honest clients that are timed before anybody is rude
SLOWER, SLACK_S = 20, 0.5  # an honest client may wait so many times as long as usual, and this
ECHOES = 5  # answers at most, in which the server may find the first echo of its life
LOOKS = 10  # at what the server holds, until it is no more than before
REST_S = 3.0  # for connections that end by time


def fuzz(served: Served, temporary: Path, messages: int, number: int, shown: bool = True) -> dict[str, Any]:
    """At least so many messages, by the seed `number`; stops at the first failure, which is in the result."""
    assert served.errors is not None
    world = World(served.url, served.errors)
    usual = [world.run(world.serve()) for _ in range(USUAL)]
    world.limit_s = SLOWER * report.percentile(usual, 50) + SLACK_S
    begin, failure = time.monotonic(), None
    world.progress = lambda: _show_progress(world, messages, begin) if shown else None
    threads = Census.of(served.pid, served.url, temporary).threads
    for _ in range(ECHOES):
        world.run(world.echo())
        if Census.of(served.pid, served.url, temporary).threads > threads:
            break
    _play(world, f"{number} warm", 5)  # what is made once, or once for each connection there can be, is there now
    world.messages = world.examples = world.connections = 0
    world.honest.clear()
    time.sleep(REST_S)
    before, begin, round = Census.of(served.pid, served.url, temporary), time.monotonic(), 0
    while world.messages < messages and failure is None:
        round += 1
        failure = _play(world, f"{number} {round}", CHUNK if shown else 5)
    seconds = time.monotonic() - begin
    time.sleep(REST_S)
    for _ in range(LOOKS):  # what is garbage goes when the next ones come
        after = Census.of(served.pid, served.url, temporary)
        if not _more(before, after):
            break
        for _ in range(USUAL):
            world.run(world.serve())
        time.sleep(REST_S)
    world.loop.close()
    return {
        "seed": number, "messages": world.messages, "examples": world.examples, "connections": world.connections,
        "seconds": round_(seconds), "messages_a_second": round_(world.messages / seconds, 0),
        "errors": dict(world.told.most_common()), "failures": [failure] if failure else [],
        "honest_usual_ms": round_(1e3 * report.percentile(usual, 50)),
        "honest_ms": {"p50": round_(1e3 * report.percentile(world.honest, 50)),
                      "p95": round_(1e3 * report.percentile(world.honest, 95)),
                      "worst": round_(1e3 * max(world.honest)), "n": len(world.honest),
                      "allowed": round_(1e3 * world.limit_s)},
        "before": dataclasses.asdict(before), "after": dataclasses.asdict(after),
    }  # fmt: skip


def _play(world: World, number: str, examples: int) -> str | None:
    """-> what failed, with the fewest steps that fail."""
    wanted = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None, print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        run_state_machine_as_test(seed(number)(crowd_of(world)), settings=wanted)
    except Exception as error:
        return "\n".join(_told(error))
    return None


def _told(error: BaseException) -> list[str]:
    """What failed, and the steps; of several errors each, and of one that did not come again what it was."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else [e for e in [error.__context__] if e]
    return [str(error), *getattr(error, "__notes__", []), *(line for e in inner for line in _told(e))]


def _show_progress(world: World, messages: int, begin: float) -> None:
    rate = world.messages / max(1e-3, time.monotonic() - begin)
    failing = f"; it fails, and the fewest steps are looked for: {Failed.seen[0]}"[:200] if Failed.seen else ""
    print(f"\r  {world.messages} of {messages} messages, {rate:.0f} a second, {world.examples} examples{failing}   ",
          end="", file=sys.stderr, flush=True)  # fmt: skip


def round_(value: float, digits: int = 1) -> float:
    return round(value, digits) if digits else round(value)


def left_over(result: dict[str, Any]) -> dict[str, list[int]]:
    """What the server holds more of than before: {name: [before, after]}."""
    return _more(*(Census(**result[when]) for when in ("before", "after")))


def _more(before: Census, after: Census) -> dict[str, list[int]]:
    was, held = before.counts(), after.counts()
    return {name: [was[name], held[name]] for name in was if was[name] < held[name]}


def show(result: dict[str, Any]) -> None:
    machine, honest = result["machine"], result["honest_ms"]
    print(f"{result['messages']} messages over {result['connections']} connections in {result['examples']} examples, "
          f"{result['seconds']:.0f} s ({result['messages_a_second']} a second), seed {result['seed']}; "
          f"{report.machine_line(machine)}, {machine['date']}, {machine['commit']}")  # fmt: skip
    print(f"  an honest client: usually {result['honest_usual_ms']} ms; behind the rude ones p50 {honest['p50']}, "
          f"p95 {honest['p95']}, at most {honest['worst']} ms (n = {honest['n']})")  # fmt: skip
    before, after = result["before"], result["after"]
    print(report.table(("held by the server", "before", "after"), [(n, before[n], after[n]) for n in before]))
    print(report.table(("errors that were told", "n"), list(result["errors"].items())))
    for failure in result["failures"]:
        print(f"  failed:\n{failure}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 nobody noticed anything, 1 somebody did."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of writing to what was aborted
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same one takes the same steps")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if options.messages < 1:
        parser.error("nothing is found out without a message: give 1 or more")
    with (
        tempfile.TemporaryDirectory() as temporary,
        tempfile.TemporaryDirectory() as told,
        Served(SERVER, Path(told, "stderr"), Path(temporary)) as served,
    ):
        result = fuzz(served, Path(temporary), options.messages, options.seed)
    print(file=sys.stderr)
    result = {"machine": report.machine(), "model": "echo"} | result
    show(result)
    print(f"written to {report.write(options.output / 'fuzz-echo.json', result)}")
    over = left_over(result)
    for name, (before, after) in over.items():
        print(f"  {name}: {before} before, {after} after", file=sys.stderr)
    return int(bool(result["failures"] or over))


if __name__ == "__main__":
    sys.exit(main())
