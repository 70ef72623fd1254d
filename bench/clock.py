"""Time on a device: by its own events where work is queued, by the wall clock where a reader waits."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch


class Clock:
    """Milliseconds. On the CPU both ways are the wall clock."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"

    def settle(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def queued(self, work: Callable[[], Any], n: int, warmups: int = 3) -> list[float]:
        """Of each run of `work`, from the device's first instruction to its last, gaps included."""
        if not self.cuda:
            return self.waited(work, n, warmups)
        for _ in range(warmups):
            work()
        marks = []
        for _ in range(n):
            marks.append((torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)))
            marks[-1][0].record()
            work()
            marks[-1][1].record()
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) for begin, end in marks]

    def waited(
        self, work: Callable[..., Any], n: int, warmups: int = 1, prepare: Callable[[], Any] | None = None
    ) -> list[float]:
        """Of each run of `work`, as its caller waits for it. What `prepare` returns is handed to it, untimed."""
        times = []
        for _ in range(warmups + n):
            given = () if prepare is None else (prepare(),)
            self.settle()
            start = perf_counter()
            work(*given)
            self.settle()
            times.append((perf_counter() - start) * 1e3)
        return times[warmups:]
