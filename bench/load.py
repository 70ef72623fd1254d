"""How long each of many speakers waits, when they talk to one server at once.

    python -m bench.load --sessions 10 --turns 5

The server is a process of its own, and all the speakers are in this one. Each has a microphone that streams
in real time, and asks sums that nobody else asks, so words that go to the wrong speaker are seen. One more
client times events that are answered at once. First a single speaker is measured, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench import report
from bench.caller import PATIENCE_S, Caller, Prober, Reply
from bench.drawing import BLUE, RED, SKY, YELLOW, pyplot
from bench.questions import RATE, Question
from bench.served import Served, cpu_s, memory_mb
from training.curriculum import a_sum
from training.voices import test_voice
from voicechat.writable import new_folder

ROUND_S = 7.0  # about what a question with its answer takes: the speakers begin spread over it
WANTED_MS = 20.0  # for events that are answered at once
TOKEN_VARIABLE = "VOICECHAT_TOKEN"  # the server's


def sums(seed: int) -> Iterator[Question]:
    """No two have the same answer."""
    rng, told = random.Random(seed), set[str]()
    while True:
        line, voice = a_sum(rng), test_voice(rng)
        if line.answer not in told and len(samples := voice.say(line.said)) > 0.2 * RATE:
            told.add(line.answer)
            yield Question(line.words, line.answer, f"{voice.maker} {voice.name}", samples)


async def talk(url: str, pid: int | None, questions: Sequence[Sequence[Question]], detection: str) -> dict[str, Any]:
    """As many speakers as there are rows of questions, and the prober."""
    token = os.environ.get(TOKEN_VARIABLE)
    callers, prober = [Caller(row, detection) for row in questions], Prober()
    count, rows = sum(map(len, questions)), [list[dict[str, Any]]() for _ in questions]

    def tell() -> None:
        waiting, done = sum(caller.waiting for caller in callers), sum(map(len, rows))
        line = f"  {len(callers)} at once: {done} of {count} answered, {waiting} waiting"
        print(f"\r{line}    ", end="", file=sys.stderr, flush=True)

    async def call(caller: Caller, row: list[dict[str, Any]], wait_s: float) -> None:
        await asyncio.sleep(wait_s)

        def answered(told: dict[str, Any]) -> None:
            row.append(told)
            tell()

        await caller.call(url, token, answered)

    begin, used_s = time.perf_counter(), time.process_time()
    before = cpu_s(pid) if pid else None
    probing = asyncio.create_task(prober.probe(url, token, lambda: any(caller.waiting for caller in callers)))
    waits = [number * ROUND_S / len(callers) for number in range(len(callers))]
    ended = await asyncio.gather(*map(call, callers, rows, waits), return_exceptions=True)
    wall_s, used_s = time.perf_counter() - begin, time.process_time() - used_s
    after = cpu_s(pid) if pid else None
    print(file=sys.stderr)
    probing.cancel()
    (stopped,) = await asyncio.gather(probing, return_exceptions=True)
    every = [told for row in rows for told in row]
    answered = [told for told in every if "failed" not in told]
    if not answered:
        why = [report.one_line(error) for error in ended if error] or [told["failed"] for told in every]
        raise SystemExit(f"no question was answered ({why[0]}): try the server with `python -m web`")
    return {
        "sessions": len(callers),
        "questions": count,
        "failed": count - len(answered),
        "broken_off": [report.one_line(error) for error in ended if error],
        "right": sum(told["right"] for told in answered),
        "in_one_turn": sum(told["turns"] == 1 for told in answered),
        "leaks": leaks(questions, rows, [caller.ids for caller in callers]),
        "voice_to_voice_ms": percentiles([told["client_ms"] for told in answered]),
        "replies_ms": replies(prober.replies),
        "prober_stopped": report.one_line(stopped) if isinstance(stopped, Exception) else None,
        "wall_s": round(wall_s, 1),
        "server_cores": round((after - before) / wall_s, 2) if before is not None and after is not None else None,
        "server_memory_mb": memory_mb(pid) if pid else None,
        "client_cores": round(used_s / wall_s, 2),
        "latest_chunk_ms": round(max(caller.late_s for caller in callers) * 1e3, 1),
        "errors": sorted({error for caller in callers for error in caller.errors}),
        "turns": every,
    }


def leaks(
    questions: Sequence[Sequence[Question]], rows: Sequence[Sequence[dict[str, Any]]], ids: Sequence[set[str]]
) -> list[str]:
    """What reached a speaker and was another's: words, or the ids of items and responses."""
    found = []
    for at, row in enumerate(rows):
        others = [q for number, asked in enumerate(questions) if number != at for q in asked]
        foreign = {q.answer for q in others} | {q.words for q in others}
        for asked, told in zip(questions[at], row, strict=False):
            for words in (told.get("answer"), told.get("heard")):
                if words in foreign - {asked.answer, asked.words}:
                    found.append(f"asked {asked.words!r}, was told {words!r}")
        found += [f"the id {id} came to two speakers" for other in ids[:at] for id in ids[at] & other]
    return found


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    return {f"p{p}": round(report.percentile(values, p), 1) for p in (50, 95)} | {
        "max": round(max(values), 1),
        "n": len(values),
    }


def replies(timed: Sequence[Reply]) -> dict[str, Any]:
    """By kind, while somebody else's question was being answered; and all of them."""
    busy = [reply for reply in timed if reply.busy]
    groups = {f"{kind}, while others are answered": [r.ms for r in busy if r.kind == kind]
              for kind in dict.fromkeys(r.kind for r in timed)}  # fmt: skip
    groups["all of these"] = [r.ms for r in busy]
    groups["at any time"] = [r.ms for r in timed]
    return {name: percentiles(values) for name, values in groups.items() if values}


def measure(
    url: str | None, model: str, sessions: int, turns: int, alone: int, seed: int, detection: str
) -> dict[str, Any]:
    asked = sums(seed)
    print("  the questions are being spoken ...", file=sys.stderr, flush=True)
    warm, single = list(islice(asked, 1)), list(islice(asked, alone))
    several = [list(islice(asked, turns)) for _ in range(sessions)]
    serving = nullcontext(None) if url else Served(["--model", model, "--greedy", "--seats", str(sessions + 1)])
    with serving as served:
        url = url or (served.url if served else "")
        pid = served.pid if served else None
        name = model_of(url)
        idle = memory_mb(pid) if pid else None
        asyncio.run(talk(url, pid, [warm], detection))  # what happens only once is not counted
        result: dict[str, Any] = {
            "detection": detection,
            "machine": report.machine(),
            "model": name,
            "server": "a process on the same machine" if served else url,
            "server_idle_mb": idle,
            "alone": asyncio.run(talk(url, pid, [single], detection)),
            "together": asyncio.run(talk(url, pid, several, detection)),
            "in_secret": in_secret(url),
        }
    pair = [result[key]["voice_to_voice_ms"] for key in ("together", "alone")]
    return result | {"ratio": {p: round(pair[0][p] / pair[1][p], 2) for p in ("p50", "p95")}}


def model_of(url: str) -> str:
    """The one that answers who names none."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_S) as answer:
            return str(json.load(answer)["models"][0])
    except (OSError, ValueError, LookupError) as error:
        raise SystemExit(f"no server of ours that is ready at {url} ({error}): start `python -m web`") from None


def in_secret(url: str) -> dict[str, float]:
    """What the server has begun in secret so far: answers that were wanted, those that were not, and their cost."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found = {(sample.name, sample.labels.get("kept")): sample.value for family in families for sample in family.samples}
    return {
        "wanted": found.get(("voicechat_speculations_total", "true"), 0.0),
        "unwanted": found.get(("voicechat_speculations_total", "false"), 0.0),
        "wasted_s": round(found.get(("voicechat_speculation_wasted_seconds_total", None), 0.0), 2),
    }


def show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{result['model']}, {result['detection']}; {report.machine_line(machine)}, load {machine['load']}; "
          f"{machine['date']}, {machine['commit']}; the server is {result['server']}")  # fmt: skip
    parts = [(result["alone"], "1 speaker"), (result["together"], f"{result['together']['sessions']} speakers")]
    lines = [(f"{name}: last speech sample sent -> first sound", part["voice_to_voice_ms"]) for part, name in parts]
    lines += [(f"{name}: reply to {kind}", row) for part, name in parts for kind, row in part["replies_ms"].items()]
    print(report.table(("ms, at the client", "p50", "p95", "max", "n"), [(k, *row.values()) for k, row in lines]))
    secret = result["in_secret"]
    print(f"  begun in secret: {secret['wanted']:.0f} answers that were wanted, {secret['unwanted']:.0f} that were "
          f"not, for {secret['wasted_s']} s of work")  # fmt: skip
    print(f"  ratio of {parts[1][1]} to 1: {result['ratio']['p50']} (p50), {result['ratio']['p95']} (p95)")
    for part, name in parts:
        print(
            f"  {name}: {part['questions']} questions, {part['failed']} failed, {part['right']} answered rightly, "
            f"{part['in_one_turn']} heard as one turn, {len(part['leaks'])} leaks; {part['wall_s']} s, the server used "
            f"{part['server_cores']} cores and {(part['server_memory_mb'] or {}).get('now')} MB, the clients "
            f"{part['client_cores']} cores; frames at most {part['latest_chunk_ms']} ms late"
        )
        for line in part["leaks"] + part["errors"] + part["broken_off"]:
            print(f"    {line}")
        if part["prober_stopped"]:
            print(f"    replies were not timed to the end: {part['prober_stopped']}")


def draw(result: dict[str, Any], path: Path) -> None:
    """Left, what each speaker waited; right, the replies' times against what is wanted."""
    plot = pyplot()
    if plot is None:
        return
    figure, (left, right) = plot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    alone, together = result["alone"], result["together"]
    for part, colour, name in ((alone, SKY, "1 speaker"), (together, RED, f"{together['sessions']} speakers")):
        waited = sorted(told["client_ms"] for told in part["turns"] if "failed" not in told)
        share = [100 * (at + 1) / len(waited) for at in range(len(waited))]
        left.step(waited, share, where="post", color=colour, label=f"{name}, n = {len(waited)}", linewidth=2)
    left.set(
        xlabel="ms from the last speech sample sent to the first sound", ylabel="% of the questions", ylim=(0, 101)
    )
    left.set_xlim(left=0)
    left.legend(frameon=False, loc="upper left")
    kinds = [kind for kind in together["replies_ms"] if kind.endswith("answered")]
    for shift, p, colour in ((-0.25, "p50", SKY), (0.0, "p95", BLUE), (0.25, "max", YELLOW)):
        heights = [together["replies_ms"][kind][p] for kind in kinds]
        right.bar([at + shift for at in range(len(kinds))], heights, 0.25, color=colour, label=p)
    right.axhline(WANTED_MS, color="black", linestyle="--", linewidth=1, label=f"{WANTED_MS:g} ms")
    right.set_xticks(range(len(kinds)), [kind.partition(",")[0] for kind in kinds])
    right.set_ylabel("ms to the reply, while others are answered")
    right.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.1))
    machine = result["machine"]
    figure.suptitle(
        f"{together['sessions']} speakers at once, {result['model']}, {result['detection']}: {together['right']} of "
        f"{together['questions']} answered rightly, {len(together['leaks'])} leaks\n"
        f"{report.machine_line(machine)}; {machine['date']}",
        fontsize=10,
    )
    figure.savefig(path, dpi=150)
    plot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10, help="how many speak at once")
    parser.add_argument("--turns", type=int, default=5, help="questions of each")
    parser.add_argument("--alone", type=int, default=10, help="questions of the single speaker before")
    parser.add_argument("--model", default="mini", help="of the server that is started")
    parser.add_argument("--url", help=f"http://HOST:PORT of a server that runs already (its token in {TOKEN_VARIABLE})")
    parser.add_argument("--detection", default="semantic_vad", choices=("semantic_vad", "server_vad"),
                        help="by what was said, or by half a second of silence")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="another seed asks other questions")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    for name in ("sessions", "turns", "alone"):
        if getattr(options, name) < 1:
            parser.error(f"nothing is measured without a question: give --{name} 1 or more")
    if 1 + options.alone + options.sessions * options.turns > 400:
        parser.error("there are no more than 400 different sums: ask for fewer")
    result = measure(
        options.url, options.model, options.sessions, options.turns, options.alone, options.seed, options.detection
    )
    show(result)
    path = report.write(options.output / f"load-{report.slug(result['model'])}.json", result)
    draw(result, path.with_suffix(".png"))
    print(f"written to {path}")
    together = result["together"]
    return int(bool(together["failed"] or together["leaks"]))


if __name__ == "__main__":
    sys.exit(main())
