"""How much memory this process holds, from what the system itself says."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_mb() -> float | None:
    """Resident now, in MB (1e6 bytes); None where the system does not say."""
    if not STATUS.is_file():
        return None
    kilobytes = re.search(r"VmRSS:\s*(\d+) kB", STATUS.read_text())
    return round(int(kilobytes[1]) * 1024 / 1e6, 1) if kilobytes else None


def peak_mb() -> float:
    """The most that was ever resident, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
