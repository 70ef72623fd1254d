"""What every measurement reports beside its figures: the machine, the versions, the date, n."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "onnxruntime", "numpy")


def machine() -> dict[str, Any]:
    """The machine and the versions. `load` is the number of processes that wanted a core in the last minute."""
    described: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "gpu": None,
        "python": platform.python_version(),
    }
    described |= {name: _version(name) for name in PACKAGES}
    torch = sys.modules.get("torch")  # asking must not load it: memory is measured beside this
    if torch is not None:
        described["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            described["gpu"] = torch.cuda.get_device_name()
            described["cuda"] = torch.version.cuda
    return described | {"date": date.today().isoformat(), "commit": _commit()}


def machine_line(described: dict[str, Any]) -> str:
    """The machine in a few words, for a table's head or a drawing's title."""
    return described["gpu"] or f"{described['cores']} cores of {described['cpu']}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.is_file() else []
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that was measured; `+` where files had been changed since. None outside git."""
    try:
        command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent))


def spread(values: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """The median, its range and n."""
    figures = {"median": percentile(values, 50), "min": min(values), "max": max(values)}
    return {name: round(figure, digits) for name, figure in figures.items()} | {"n": len(values)}


def one_line(error: BaseException) -> str:
    """What went wrong, short enough to stand in a table."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:300]


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def write(path: Path, result: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return path


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns, the first to the left and the others to the right; None is an empty cell."""
    cells = [[("" if cell is None else str(cell)) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    return "\n".join(["  " + line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:])])
