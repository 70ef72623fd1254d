"""What a device can do at most: how fast it copies, reads and multiplies. The floors stand on these."""

from __future__ import annotations

from typing import Any

import torch

from bench.clock import Clock
from bench.report import spread


def rates(device: torch.device, copied: int, square: int, clock: Clock, n: int = 20) -> dict[str, Any]:
    """GB/s (1e9 bytes) and TFLOP/s, each from the median of n runs on buffers far larger than any cache."""
    half = torch.bfloat16 if device.type == "cuda" else torch.float32
    left = torch.randn(square, square, device=device, dtype=half)
    right = torch.randn(square, square, device=device, dtype=half)
    multiply = clock.queued(lambda: left @ right, n)
    source = torch.randn(copied // half.itemsize, device=device, dtype=half)
    numbers = source.view(torch.int32)  # a maximum of integers cannot be limited by arithmetic
    reduction = clock.queued(numbers.amax, n)
    matrix = source.view(-1, square)  # what a decode step does with weights
    vector = torch.randn(square, device=device, dtype=half)
    product = clock.queued(lambda: matrix @ vector, n)
    target = torch.empty_like(source)
    copy = clock.queued(lambda: target.copy_(source), n)
    read = {"reduction_gbs": _gigabytes(copied, reduction), "matrix_times_vector_gbs": _gigabytes(copied, product)}
    return {
        "copy_gbs": _gigabytes(2 * copied, copy),
        "copy_counts": "bytes read plus bytes written",
        "read_gbs": max(read.values()),
        "read_is": max(read, key=lambda name: read[name]).removesuffix("_gbs"),
        **read,
        "multiply_tflops": round(2 * square**3 / spread(multiply, 6)["median"] / 1e9, 3),
        "bytes": copied,
        "square": square,
        "dtype": str(half).removeprefix("torch."),
        "n": n,
    }


def _gigabytes(moved: int, times: list[float]) -> float:
    return round(moved / spread(times, 6)["median"] / 1e6, 1)
