"""A server in a process of its own, and what it takes of the machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")  # of processor time a second, in /proc


@dataclass(slots=True)
class Served:
    """`python -m web` with these options, on any port that is free, until the end of a `with`.

    `errors`: the file for what it writes to stderr; None leaves it where ours goes. `temporary`: its folder for
    temporary files; None: the system's.
    """

    options: list[str]
    errors: Path | None = None
    temporary: Path | None = None
    url: str = ""
    process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "web", "--port", "0", *self.options]
        with self.errors.open("wb") if self.errors else nullcontext() as errors:
            environment = os.environ | ({"TMPDIR": str(self.temporary)} if self.temporary else {})
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )  # fmt: skip
        assert self.process.stdout is not None
        found = re.search(r"http://\S+:\d+", self.process.stdout.readline())
        if found is None:
            self.process.kill()
            raise SystemExit(
                f"the server did not start; its message is above, and its options were {' '.join(self.options)}"
            )
        self.url = found[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


def cpu_s(pid: int) -> float | None:
    """Processor seconds that a process has had; None where the system does not say."""
    path = Path(f"/proc/{pid}/stat")
    if not path.is_file():
        return None
    fields = path.read_text().rpartition(")")[2].split()  # after the name, which may hold anything
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> dict[str, float] | None:
    """Resident now and at the most, in MB (1e6 bytes); None where the system does not say."""
    path = Path(f"/proc/{pid}/status")
    if not path.is_file():
        return None
    kilobytes = dict(re.findall(r"(VmRSS|VmHWM):\s*(\d+) kB", path.read_text()))
    return {name: round(int(kilobytes[key]) * 1024 / 1e6, 1) for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}
