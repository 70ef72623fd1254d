"""The process in which apart.py has a stranger's recording decoded: it binds itself, reads, writes, and ends.

Standard input is the recording; the environment says how it is called and what it may use. Standard output is a line
of JSON, {"rate", "count"} with that many float32 samples behind it, or {"error"}, or {"memory": true}.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

REQUEST = "VOICECHAT_RECORDING"  # the variable of the environment that holds the request, as JSON


def main() -> None:
    request = json.loads(os.environ[REQUEST])
    sys.path.insert(0, str(Path(__file__).parent.parent))
    # All that will be needed: bound, it can open nothing.
    import av
    import numpy as np
    import soxr

    from streaming.audio import AudioError
    from streaming.files import read_open

    for module in pkgutil.walk_packages(av.__path__, "av."):  # some are imported when a file asks for them
        if not module.name.startswith(("av.__main__", "av.datasets")):
            import_module(module.name)
    bind(request)
    header: dict[str, Any] = {"memory": True}
    samples = np.zeros(0, np.float32)
    with suppress(MemoryError):  # told below, when what was held is free
        try:
            with open(0, "rb", buffering=0, closefd=False) as file:
                audio = read_open(file, request["name"], request["seconds"])
            rate = request["rate"] or audio.rate
            samples = audio.samples if rate == audio.rate else soxr.resample(audio.samples, audio.rate, rate)
            samples = np.clip(samples, -1, 1, out=samples)
            header = {"rate": rate, "count": len(samples)}
        except AudioError as error:
            header = {"error": str(error)}
        except MemoryError:
            raise
        except Exception as error:
            header = {
                "error": f"{request['name']} cannot be read as audio ({error!r}): convert it to WAV and try again"
            }
    with open(1, "wb", buffering=0, closefd=False) as out:
        for data in (memoryview(json.dumps(header).encode() + b"\n"), memoryview(samples.data).cast("B")):
            while len(data):  # a pipe may take less than it is given
                data = data[out.write(data) :]


def bind(request: Mapping[str, Any]) -> None:
    """From now on this process opens no file and no connection, starts no other, leaves nothing on the disk, and has
    only so much memory and time. Systems that lack one of these limits go without it, Windows without all of them."""
    try:
        import resource
    except ImportError:
        return
    cpu_s = int(request["cpu_s"])
    limits = {
        "RLIMIT_AS": int(request["memory_mb"]) << 20,
        "RLIMIT_CPU": cpu_s,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,  # root is above it
        "RLIMIT_NOFILE": 3,
    }
    for name, most in limits.items():
        with suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (most, most + 1 if name == "RLIMIT_CPU" else most))


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
