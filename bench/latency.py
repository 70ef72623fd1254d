"""How long a speaker waits for the answer: spoken questions, in real time, through a whole session.

    python -m bench.latency --model mini --questions 50

Every question is a conversation of its own. Its sound comes in chunks of 20 ms, when a microphone
would deliver them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import report
from bench.drawing import latency_bars
from bench.memory import peak_mb, resident_mb
from bench.questions import RATE, Question, questions, room
from voicechat.writable import new_folder

if TYPE_CHECKING:
    from voicechat.session import Session

CHUNK = RATE // 50
LEVEL = 0.5  # the speech peaks at 0.5 of full scale: this makes it -12 dB
LEAD_S = 0.5  # of quiet before the question
PATIENCE_S = 30.0  # for an answer, after the question

LATENCIES = {
    "first_token_ms": "turn decided -> first token",
    "first_audio_ms": "turn decided -> first audio",
    "voice_to_voice_ms": "voice stops (as the session has it) -> first audio",
    "client_ms": "last speech sample (as it was sent) -> first audio",
}


@dataclass(slots=True)
class Told:
    """What a session told while one question was asked; times by the wall clock."""

    sounded: float | None = None  # the first sound of the newest turn
    turns: int = 0
    ended: Any = None  # the newest TurnEnded
    failed: str | None = None


async def listen(session: Session, told: Told) -> None:
    from voicechat.events import Failed, Spoken, TurnEnded, TurnStarted

    while (event := await session.events.get()) is not None:
        match event:
            case TurnStarted():
                told.turns += 1
                told.sounded = told.ended = None
            case Spoken() if told.sounded is None:
                told.sounded = perf_counter()
            case TurnEnded():
                told.ended = event
            case Failed(message=message):
                told.failed = message


async def ask(session: Session, question: Question) -> dict[str, Any]:
    """One question in real time. The row of its turn: latencies, and how late the chunks came at worst."""
    from streaming.audio import AudioChunk
    from voicechat.turntaking import State

    def over_with() -> bool:
        return bool(told.ended or told.failed) and at >= len(spoken) and session.state is not State.HEARING

    spoken = np.concatenate((room(LEAD_S), LEVEL * question.samples + room(len(question.samples) / RATE, 1)))
    quiet = room(1.0, 2)
    told, late = Told(), 0.0
    listener = asyncio.create_task(listen(session, told))
    begin, at = perf_counter(), 0
    over = begin + len(spoken) / RATE  # when a microphone delivers the last sample of the speech
    try:
        while not over_with() and perf_counter() < over + PATIENCE_S:
            chunk = spoken[at : at + CHUNK]
            if len(chunk) < CHUNK:
                place = at % len(quiet)
                chunk = np.concatenate((chunk, np.resize(np.roll(quiet, -place), CHUNK - len(chunk))))
            due = begin + (at + CHUNK) / RATE
            await asyncio.sleep(max(0.0, due - perf_counter()))
            late = max(late, perf_counter() - due)
            await session.hear(AudioChunk(chunk, RATE, at / RATE))
            at += CHUNK
    finally:
        listener.cancel()
        await session.close()
    row: dict[str, Any] = {"said": question.words, "voice": question.voice, "turns": told.turns}
    row["late_ms"] = round(late * 1e3, 1)
    if told.ended is None:
        return row | {"failed": told.failed or f"no answer within {PATIENCE_S:g} s"}
    row |= {"heard": told.ended.heard, "answer": told.ended.text, "right": told.ended.text == question.answer}
    client = None if told.sounded is None else round((told.sounded - over) * 1e3, 1)
    return row | told.ended.timing.as_json() | {"client_ms": client}


async def measure(model: str, voice: str, device: str, count: int, seed: int) -> dict[str, Any]:
    before = resident_mb()
    from voicechat import Config, VoiceChat

    imported, start = resident_mb(), perf_counter()
    rows = []
    async with VoiceChat(Config(model=model, voice=voice, device=device, greedy=True)) as chat:
        loaded, load_s = resident_mb(), perf_counter() - start
        for number, question in enumerate(islice(questions(seed), 1 + count)):
            row = await ask(chat.session(), question)
            if number:  # the first asks for what happens only once: it is not counted
                rows.append(row)
            waited = row.get("client_ms")
            print(f"\r  question {number} of {count}: {waited} ms    ", end="", file=sys.stderr, flush=True)
        name = chat.model.name
    print(file=sys.stderr)
    answered = [row for row in rows if "failed" not in row]
    if not answered:
        raise SystemExit(f"no question was answered ({rows[0]['failed']}): try it with `run_local.py`")
    figures = {key: [row[key] for row in answered if row[key] is not None] for key in LATENCIES}
    return {
        "machine": report.machine(),
        "model": name,
        "voice": voice,
        "questions": count,
        "failed": len(rows) - len(answered),
        "right": sum(row["right"] for row in answered),
        "in_one_turn": sum(row["turns"] == 1 for row in answered),
        "latest_chunk_ms": max(row["late_ms"] for row in rows),
        "load_s": round(load_s, 2),
        "memory_mb": {"start": before, "before_load": imported, "after_load": loaded, "peak": peak_mb()},
        "latency": {key: _percentiles(values) for key, values in figures.items() if values},
        "turns": rows,
    }


def _percentiles(values: Sequence[float]) -> dict[str, Any]:
    return {"p50": round(report.percentile(values, 50), 1), "p95": round(report.percentile(values, 95), 1)} | {
        "n": len(values)
    }


def show(result: dict[str, Any]) -> None:
    machine, memory = result["machine"], result["memory_mb"]
    print(
        f"{result['model']}, voice {result['voice']}; {report.machine_line(machine)}, load {machine['load']}; "
        f"torch {machine['torch']}, transformers {machine['transformers']}; {machine['date']}, {machine['commit']}"
    )
    rows = [(LATENCIES[key], row["p50"], row["p95"], row["n"]) for key, row in result["latency"].items()]
    print(report.table(("ms", "p50", "p95", "n"), rows))
    print(
        f"  {result['questions']} questions: {result['failed']} failed, {result['right']} answered as they should be, "
        f"{result['in_one_turn']} heard as one turn; chunks at most {result['latest_chunk_ms']} ms late"
    )
    print(
        f"  resident memory, MB: {memory['start']} at the start, {memory['before_load']} before loading, "
        f"{memory['after_load']} after, {memory['peak']} at the peak; loaded in {result['load_s']} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mini", help="auto, mini, echo, a directory or a hub id")
    parser.add_argument("--questions", type=int, default=50, help="how many are counted; one more goes before")
    parser.add_argument("--voice", default="espeak")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--seed", type=int, default=0, help="another seed asks other questions")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if options.questions < 1:
        parser.error("nothing is measured without a question: give --questions 1 or more")
    from voicechat.errors import VoiceChatError

    try:
        result = asyncio.run(measure(options.model, options.voice, options.device, options.questions, options.seed))
    except VoiceChatError as error:
        print(error, file=sys.stderr)
        return 1
    show(result)
    path = report.write(options.output / f"latency-{report.slug(result['model'])}.json", result)
    latency_bars(result, path.with_suffix(".png"))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
