"""The voices side by side: how soon each sounds, what it costs, how soon it stops, how loud it is.

    python -m bench.voices --voice piper:joe --voice espeak

Runs each voice in a process of its own, on the worker thread that conversations use.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any

import numpy as np
import soundfile

from bench import report
from bench.drawing import spectrograms
from bench.served import memory_mb
from tts.loudness import loudness
from tts.voice import Voice, VoiceError
from voicechat.blocking import Worker
from voicechat.voices import load
from voicechat.writable import new_folder

SHORT = "Yes, of course."
LONG = (
    "The scattering of sunlight by tiny particles high up in the air makes the whole sky look blue to everybody who "
    "stands on the ground below on a clear summer day"
)
SHOWN = "Good morning. Seven times eight is fifty-six, and a cello has four strings."
SENTENCES = (
    "The sky is blue because of the scattering of light by tiny particles in the air.",
    "It's okay to feel tired sometimes.",
    "If your dog is sick, it's important to take them to the vet immediately.",
    "I heard a siren, a dog, and then a cello.",
    "Good morning, how are you today?",
    "Seven times eight is fifty-six.",
)
AT_ONCE = 4
SOUNDS = report.ROOT / "docs" / "voices"


async def first_sound_ms(voice: Voice, worker: Worker, text: str) -> float:
    """From the call to the first chunk that sounds; the rest is not waited for."""
    begun = perf_counter()
    async with aclosing(worker.stream(lambda: voice.say(text))) as chunks:
        async for chunk in chunks:
            if len(chunk.samples):
                return (perf_counter() - begun) * 1e3
    raise SystemExit(f"{voice.name} did not sound for {text!r}")


async def cancel_ms(voice: Voice, worker: Worker, text: str, after_s: float) -> float:
    """From leaving in mid-clause, at any moment of its making, until the worker is free for somebody else."""
    async with aclosing(worker.stream(lambda: voice.say(text))) as chunks:
        await anext(chunks)
        await asyncio.sleep(after_s)
        left = perf_counter()
    return (perf_counter() - left) * 1e3


async def with_others_ms(voice: Voice, worker: Worker, text: str, n: int) -> list[float]:
    """The first sound while `AT_ONCE` - 1 others let the same voice speak, without end."""

    async def speak() -> None:
        while True:
            async with aclosing(worker.stream(lambda: voice.say(LONG))) as chunks:
                async for chunk in chunks:
                    await asyncio.sleep(0.8 * chunk.seconds)  # as it is played

    others = [asyncio.create_task(speak()) for _ in range(AT_ONCE - 1)]
    try:
        await asyncio.sleep(0.5)
        found = []
        for number in range(n):
            found.append(await first_sound_ms(voice, worker, text))
            await asyncio.sleep(0.05 + 0.01 * (number % 7))
        return found
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def spoken(voice: Voice, text: str) -> np.ndarray:
    return np.concatenate([chunk.samples for chunk in voice.say(text)])


async def measure(name: str, n: int) -> dict[str, Any]:
    before = (memory_mb(os.getpid()) or {}).get("now")
    begun = perf_counter()
    voice = load(name)
    loaded_s, worker = perf_counter() - begun, Worker("voice")
    spoken(voice, SHORT)
    used, seconds = process_time(), 0.0
    for sentence in SENTENCES:
        seconds += len(spoken(voice, sentence)) / voice.rate
    used = process_time() - used
    lufs = [loudness(spoken(voice, sentence), voice.rate) for sentence in SENTENCES]
    first = {kind: [await first_sound_ms(voice, worker, text) for _ in range(n)]
             for kind, text in (("short", SHORT), ("long", LONG))}  # fmt: skip
    cancelled = [await cancel_ms(voice, worker, LONG, 0.4 * number / n) for number in range(n)]
    crowded = {kind: await with_others_ms(voice, worker, text, n) for kind, text in (("short", SHORT), ("long", LONG))}
    worker.close()
    after = (memory_mb(os.getpid()) or {}).get("now")
    return {
        "voice": voice.name,
        "rate": voice.rate,
        "loaded_s": round(loaded_s, 2),
        "memory_mb": None if before is None or after is None else round(after - before),
        "first_ms": {kind: _spread(values) for kind, values in first.items()},
        f"first_ms_{AT_ONCE}_at_once": {kind: _spread(values) for kind, values in crowded.items()},
        "cancel_ms": _spread(cancelled),
        "realtime_factor": round(used / seconds, 4),
        "loudness_lufs": [round(value, 1) for value in lufs],
        "shown": _keep(voice),
    }


def measured(name: str, n: int) -> dict[str, Any]:
    return asyncio.run(measure(name, n))


def _keep(voice: Voice) -> str:
    file = SOUNDS / f"{voice.name.replace(':', '-')}.wav"
    soundfile.write(file, spoken(voice, SHOWN), voice.rate)
    return str(file.relative_to(report.ROOT))


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": round(report.percentile(values, 50), 1), "p95": round(report.percentile(values, 95), 1),
            "n": len(values)}  # fmt: skip


def show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{report.machine_line(machine)}, load {machine['load']}; {machine['date']}, {machine['commit']}")
    head = (
        "voice", "first sound, ms: short", "long clause", f"{AT_ONCE} at once: short", "long", "cancel, ms",
        "factor", "LUFS", "memory, MB", "loaded, s",
    )  # fmt: skip
    rows = []
    for voice in result["voices"]:
        alone, crowd, cancel = voice["first_ms"], voice[f"first_ms_{AT_ONCE}_at_once"], voice["cancel_ms"]
        cells = [f"{each['p50']:.0f} / {each['p95']:.0f}" for each in
                 (alone["short"], alone["long"], crowd["short"], crowd["long"], cancel)]  # fmt: skip
        levels = voice["loudness_lufs"]
        rows.append((voice["voice"], *cells, voice["realtime_factor"], f"{min(levels)} to {max(levels)}",
                     voice["memory_mb"], voice["loaded_s"]))  # fmt: skip
    print(report.table(head, rows))
    print(f"  p50 / p95, n = {result['voices'][0]['cancel_ms']['n']}; factor: processor seconds for a second of speech")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.voices", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--voice", action="append", default=[], metavar="V")
    parser.add_argument("--n", type=int, default=40)
    options = parser.parse_args(arguments)
    SOUNDS.mkdir(parents=True, exist_ok=True)
    machine, found = report.machine(), []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as apart:
        for name in options.voice or ["piper:joe", "espeak"]:
            try:
                found.append(apart.submit(measured, name, options.n).result())
            except VoiceError as error:
                print(error, file=sys.stderr)
                return 1
    result = {"machine": machine, "voices": found}
    show(result)
    report.write(new_folder(report.RESULTS) / "voices.json", result)
    spectrograms({voice["voice"]: str(report.ROOT / voice["shown"]) for voice in found}, SOUNDS / "spectrograms.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
