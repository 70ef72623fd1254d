"""What a server holds of its machine: memory, threads, open files, children, temporary files, tasks, seats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.served import memory_mb


@dataclass(frozen=True, slots=True)
class Census:
    """Counts at one moment; `memory_mb` is what is resident, in MB (1e6 bytes)."""

    memory_mb: float
    threads: int
    files: int
    children: int
    temporary: int
    tasks: int
    seats: int  # taken

    @classmethod
    def of(cls, pid: int, url: str, temporary: Path) -> Census:
        """Of the server with this process id; `temporary` is its folder for temporary files. Linux alone."""
        process = Path(f"/proc/{pid}")
        memory = memory_mb(pid)
        ready = httpx.get(f"{url}/readyz", timeout=30).json()  # whether or not there is a free seat
        families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text)
        tasks = next(family.samples[0].value for family in families if family.name == "voicechat_tasks")
        return cls(
            memory_mb=memory["now"] if memory else 0.0,
            threads=len(list((process / "task").iterdir())),
            files=len(list((process / "fd").iterdir())),
            children=sum(map(_children, (process / "task").iterdir())),
            temporary=sum(1 for path in temporary.rglob("*")),
            tasks=round(tasks),
            seats=ready["seats"] - ready["free"],
        )

    def counts(self) -> dict[str, int]:
        """All but memory, which no two moments share."""
        return {name: getattr(self, name) for name in ("threads", "files", "children", "temporary", "tasks", "seats")}


def _children(task: Path) -> int:
    try:
        return len((task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
        return 0
