"""The rolling encoder against encoding the whole clip again at every pause, on the CPU.

    python -m bench.encoder --model mini

A recording of speech has a pause about every 3 s, and at each the embeddings of everything so far
are needed. Time is the processor's (`time.process_time`), so that other programs do not count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import numpy as np
import torch

from bench import report
from bench.drawing import pause_lines
from bench.hearing import CHUNK, features_of, transformers_embeddings
from bench.questions import RATE, questions, room
from streaming.encoder import RollingEncoder
from voicechat.errors import VoiceChatError
from voicechat.flamingo.load import find, load
from voicechat.writable import new_folder

PAUSE_S = 0.8
NOTICED_S = 0.16  # of quiet, as the endpointer has it
TOLERANCE = 1e-4  # of the embeddings, absolute
TARGET = 0.1  # of transformers' time


def recording(seconds: float) -> tuple[np.ndarray, list[int]]:
    """Speech and pauses, float32 at 16 kHz; the samples at which a pause has been noticed."""
    pieces, noticed, at = [], [], 0
    for number, question in enumerate(questions()):
        pieces += [question.samples, room(PAUSE_S, number)]
        noticed.append(at + len(question.samples) + round(NOTICED_S * RATE))
        at += len(question.samples) + round(PAUSE_S * RATE)
        if at >= seconds * RATE:
            break
    whole = np.concatenate(pieces)[: round(seconds * RATE)]
    return whole, [pause for pause in noticed if pause < len(whole)]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(processor seconds, what `work` gives)"""
    start = process_time()
    given = work()
    return process_time() - start, given


def at_pauses(model: Any, extractor: Any, samples: np.ndarray, pauses: Sequence[int]) -> dict[str, Any]:
    """Processor seconds for each pause, both ways, and how far their embeddings are apart."""
    rolling = RollingEncoder(model.model)

    def keep_up(end: int) -> torch.Tensor:
        for at in range(rolling.samples, end, CHUNK):
            rolling.append(samples[at : min(at + CHUNK, end)])
        return rolling.embeddings()

    def again(end: int) -> torch.Tensor:
        return transformers_embeddings(model, *features_of(extractor, samples[:end]))

    ours, theirs, apart = [], [], 0.0
    for number, end in enumerate(pauses, 1):
        spent, got = timed(lambda end=end: keep_up(end))
        ours.append(spent)
        spent, expected = timed(lambda end=end: again(end))
        theirs.append(spent)
        apart = max(apart, float((got - expected).abs().max()))
        print(f"\r  pause {number} of {len(pauses)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {"ours_s": ours, "again_s": theirs, "apart": apart}


def one_utterance(model: Any, extractor: Any, samples: np.ndarray, n: int) -> dict[str, Any]:
    """Processor ms of a whole utterance: at its real length, and as a window of 30 s."""

    def ours() -> None:
        rolling = RollingEncoder(model.model)
        rolling.append(samples)
        rolling.embeddings()

    def theirs() -> None:
        transformers_embeddings(model, *features_of(extractor, samples))

    found = {}
    for name, work in (("ours_ms", ours), ("transformers_ms", theirs)):
        work()
        found[name] = report.spread([timed(work)[0] * 1e3 for _ in range(n)], 2)
    return {"seconds": round(len(samples) / RATE, 3)} | found


def measure(name: str, seconds: float, threads: int, n: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    folder, _ = find(name, "cpu")
    model, processor = load(folder, "cpu")
    extractor = processor.feature_extractor
    samples, pauses = recording(seconds)
    with torch.inference_mode():
        transformers_embeddings(model, *features_of(extractor, samples[:RATE]))  # what is done only once is not timed
        found = at_pauses(model, extractor, samples, pauses)
        single = one_utterance(model, extractor, samples[: 2 * RATE], n)
    ours, again = sum(found["ours_s"]), sum(found["again_s"])
    return {
        "machine": report.machine(),
        "model": folder.name,
        "seconds": seconds,
        "pauses_s": [round(pause / RATE, 3) for pause in pauses],
        "ours_s": [round(s, 4) for s in found["ours_s"]],
        "again_s": [round(s, 4) for s in found["again_s"]],
        "ours_total_s": round(ours, 3),
        "again_total_s": round(again, 3),
        "ratio": round(ours / again, 4),
        "target_ratio": TARGET,
        "ours_realtime_factor": round(ours / (pauses[-1] / RATE), 4),
        "again_realtime_factor": round(again / (pauses[-1] / RATE), 4),
        "largest_difference": found["apart"],
        "equal": found["apart"] <= TOLERANCE,
        "one_utterance": single,
    }


def show(result: dict[str, Any]) -> None:
    machine, single = result["machine"], result["one_utterance"]
    print(
        f"{result['model']}: {len(result['pauses_s'])} pauses in {result['seconds']:g} s of speech; "
        f"{report.machine_line(machine)}, {machine['threads']} thread(s), load {machine['load']}; "
        f"torch {machine['torch']}, transformers {machine['transformers']}; {machine['date']}, {machine['commit']}"
    )
    rows = [
        ("rolling encoder", result["ours_total_s"], result["ours_realtime_factor"], single["ours_ms"]["median"]),
        (
            "all again (transformers)",
            result["again_total_s"],
            result["again_realtime_factor"],
            single["transformers_ms"]["median"],
        ),
    ]
    head = ("processor time", "all pauses, s", "a second of speech, s", f"one clip of {single['seconds']:g} s, ms")
    print(report.table(head, rows))
    met = "met" if result["ratio"] <= TARGET else "missed"
    equal = "equal" if result["equal"] else "NOT EQUAL"
    print(f"  ratio {result['ratio']} (target {TARGET}: {met}); one clip: median of {single['ours_ms']['n']}")
    print(f"  embeddings {equal}: at most {result['largest_difference']:.1e} apart (allowed {TOLERANCE:g})")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.encoder", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mini", help="mini, a directory or a hub id")
    parser.add_argument("--seconds", type=float, default=90.0, help="length of the recording")
    parser.add_argument("--threads", type=int, default=1, help="that torch may use")
    parser.add_argument("--repeats", type=int, default=10, help="of the single utterance")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if options.seconds < 5:
        parser.error("a recording of fewer than 5 s has no pauses: give --seconds 5 or more")
    try:
        result = measure(options.model, options.seconds, options.threads, options.repeats)
    except VoiceChatError as error:
        print(error, file=sys.stderr)
        return 1
    show(result)
    path = report.write(options.output / f"encoder-{report.slug(result['model'])}.json", result)
    pause_lines(result, path.with_suffix(".png"))
    print(f"written to {path}")
    return 0 if result["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
