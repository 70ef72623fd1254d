"""Audio Flamingo 3 on a GPU, at its true size, against the floors of the machine and against transformers.

    python -m bench.gpu            needs CUDA; the weights are random, nothing is fetched
    python -m bench.gpu --small    a tiny model on the CPU: tests this program, measures nothing

Needs torch, transformers, numpy and onnxruntime only.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from bench import report
from bench.decode import agreement, decode, generate_static, prefill, replay
from bench.fullsize import Subject, build
from bench.hearing import encoder, first_token
from bench.rates import rates
from voicechat.writable import new_folder

FROM_THE_START_S = 480.0  # no section begins later than this: the result must be written within 10 minutes


def floors(subject: Subject, measured: dict[str, Any]) -> dict[str, Any]:
    """The least that a step, a window and a prefilled position can take, by the rates measured in this run."""
    size = subject.model.dtype.itemsize
    read, all_ = subject.step_weights * size, subject.language_weights * size
    encoded = 2 * subject.tower_weights * 1_500
    return {
        "step_bytes": read,  # the language model's weights less the embedding table
        "step_at_read_rate_ms": round(read / measured["read_gbs"] / 1e6, 4),
        "language_model_bytes": all_,  # every weight of it, as the copy-rate floor counts them
        "step_at_copy_rate_ms": round(all_ / measured["copy_gbs"] / 1e6, 4),
        "cache_bytes_a_position": subject.cache_bytes(),
        "window_tflop": round(encoded / 1e12, 4),
        "window_ms": round(encoded / measured["multiply_tflops"] / 1e9, 4),
        "position_ms": round(2 * subject.layer_weights / measured["multiply_tflops"] / 1e9, 6),
    }


def measure(small: bool, folder: Path) -> Path:
    """Every section by itself: one that fails leaves its error in its place, and the rest goes on."""
    device = torch.device("cpu" if small else "cuda")
    described = report.machine()
    name = "small" if small else report.slug(described["gpu"])
    path = folder / f"gpu-{name}-{described['date']}.json"
    start = perf_counter()
    subject = build(device, small)
    result: dict[str, Any] = {
        "what": "Audio Flamingo 3, random weights" + (", tiny: figures mean nothing" if small else ""),
        "machine": described,
        "dtype": str(subject.model.dtype).removeprefix("torch."),
        "attention": subject.model.config._attn_implementation,
        "parameters": subject.language_weights + subject.tower_weights,
        "sizes": vars(subject.sizes),
        "build_s": round(perf_counter() - start, 1),
    }
    sections: dict[str, Callable[[], Any]] = {
        "rates": lambda: rates(device, subject.sizes.copied, subject.sizes.square, subject.clock),
        "floors": lambda: floors(subject, result["rates"]),
        "agreement": lambda: agreement(subject),
        "replay": lambda: replay(subject),
        "decode": lambda: decode(subject),
        "first_token": lambda: first_token(subject),
        "encoder": lambda: encoder(subject),
        "prefill": lambda: prefill(subject),
        "generate_static": lambda: generate_static(subject),
    }
    for title, section in sections.items():
        began = perf_counter()
        if began - start > FROM_THE_START_S:
            result[title] = {"error": "left out: the time was used up"}
            continue
        try:
            result[title] = section()
        except Exception as error:
            result[title] = {"error": report.one_line(error)}
        result.setdefault("section_s", {})[title] = round(perf_counter() - began, 1)
        _tidy(result, title)
        print(f"  {title}: {result['section_s'][title]} s", file=sys.stderr, flush=True)
        report.write(path, result)  # after each, so that a run cut short leaves what it had
    return path


def _tidy(result: dict[str, Any], title: str) -> None:
    """Note the section's peak of device memory, and free what it left."""
    gc.collect()
    if torch.cuda.is_available() and result["machine"]["gpu"]:
        result.setdefault("peak_gb", {})[title] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


# ---- what is printed ------------------------------------------------------------------------------


def show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    versions = f"torch {machine['torch']}, transformers {machine['transformers']}"
    print(f"\n{result['what']}, {result['dtype']}; {report.machine_line(machine)}; {versions}; {machine['date']}")
    for title, draw in {
        "rates": _rates, "floors": _plain, "agreement": _plain, "replay": _replay, "decode": _decode,
        "first_token": _by_seconds, "encoder": _by_seconds, "prefill": _prefill, "peak_gb": _plain,
    }.items():  # fmt: skip
        found = result.get(title)
        if not found:
            continue
        print(f"\n{title}")
        print(f"  {found['error']}" if "error" in found else draw(found, result))


def _rates(found: dict[str, Any], _: dict[str, Any]) -> str:
    return (
        f"  copy {found['copy_gbs']} GB/s ({found['copy_counts']}), "
        f"read {found['read_gbs']} GB/s ({found['read_is']}), "
        f"multiply {found['multiply_tflops']} TFLOP/s; medians, n = {found['n']}"
    )


def _plain(found: dict[str, Any], _: dict[str, Any]) -> str:
    width = max(map(len, found))
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in found.items())


def _replay(found: dict[str, Any], result: dict[str, Any]) -> str:
    floor = result["floors"].get("step_at_read_rate_ms")
    rows = [(k, v["median"], _over(v["median"], floor) if floor else None, v["n"]) for k, v in found.items()]
    return report.table(("the step alone", "ms", "over the read floor", "n"), rows)


def _figure(cell: Any) -> object:
    return cell.get("median", "failed") if isinstance(cell, dict) else cell


def _decode(found: dict[str, Any], result: dict[str, Any]) -> str:
    """ms a token; below, each over the two floors."""
    static = result.get("generate_static", {})
    rows: dict[str, dict[str, Any]] = {}
    for context, ways in found.items():
        extra = {"transformers generate, static": static[context]} if context in static else {}
        for way, cell in (ways | extra).items():
            fell_back = way.startswith("graph") and cell.get("captured") is False
            rows.setdefault(way + " (NOT CAPTURED)" * fell_back, {})[context] = _figure(cell)
    head = ["ms a token at a context of", *found]
    lines = [[way, *(cells.get(context) for context in found)] for way, cells in rows.items()]
    text = report.table(head, lines)
    for name in ("step_at_read_rate_ms", "step_at_copy_rate_ms"):
        if floor := result["floors"].get(name):
            times = [[way, *(_over(cells.get(c), floor) for c in found)] for way, cells in rows.items()]
            text += f"\n\n  over the floor {name.removesuffix('_ms').replace('_', ' ')} ({floor} ms)\n"
            text += report.table(head, times)
    first = next(iter(next(iter(found.values())).values()))
    return f"{text}\n  medians of {first.get('n', 0)} tokens; of generate, 3 runs of {result['sizes']['tokens']} tokens"


def _over(ms: object, floor: float) -> object:
    return f"{ms / floor:.2f} x" if isinstance(ms, float) else ms


def _by_seconds(found: dict[str, Any], _: dict[str, Any]) -> str:
    ways = list(next(iter(found.values())))
    lines = [[way, *(_figure(cells[way]) for cells in found.values())] for way in ways]
    n = next(cell["n"] for cell in next(iter(found.values())).values() if isinstance(cell, dict))
    return report.table(["ms for seconds of sound", *found], lines) + f"\n  medians; n = {n}, extractor and generate 3"


def _prefill(found: dict[str, Any], _: dict[str, Any]) -> str:
    return report.table(
        ("positions", "ms", "TFLOP/s", "n"), [(k, v["median"], v["tflops"], v["n"]) for k, v in found.items()]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tiny model on the CPU, to test this program")
    parser.add_argument("--output", type=new_folder, default=report.RESULTS, help="folder of the result")
    options = parser.parse_args(arguments)
    if not options.small and not torch.cuda.is_available():
        print("bench.gpu needs a CUDA GPU: run it where torch sees one, or try the program with --small")
        return 0
    path = measure(options.small, options.output)
    show(json.loads(path.read_text()))
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
