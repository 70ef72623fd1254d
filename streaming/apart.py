"""Recordings from strangers, decoded in a process of their own that has little to break and can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from streaming.audio import AudioChunk, AudioError, check_rate

CHILD = Path(__file__).with_name("confined.py")
REQUEST = "VOICECHAT_RECORDING"
KEPT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # of the environment: Python starts with these
NAME_LENGTH = 100  # characters of a file's name that a message shows
INSTEAD = "convert it to 16-bit WAV, or give a shorter one"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording may need. Where a system cannot bind memory or processor time, the time on the wall is left."""

    seconds: float = 600.0  # of sound
    rate: int | None = None  # Hz, to which it is resampled; None leaves it as it is
    memory_mb: int = 1_024  # of addresses; Python with its libraries takes about 300 of them
    cpu_s: int = 30
    wall_s: float = 60.0


async def decode(data: bytes | Path, name: str, limits: Limits = Limits()) -> AudioChunk:
    """A recording, as `streaming.files.read_audio` reads it; messages call it `name`, whatever file it is in.

    Raises AudioError for what cannot be heard whole within the limits. Cancelled, or out of time, it kills the
    process; it returns when that is gone. Each one at work may take `limits.memory_mb`: how many there are at once
    is the caller's to bound.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    name = " ".join(printable.split())[:NAME_LENGTH] or "the recording"
    file = _as_file(data, name)
    process = None
    try:
        async with asyncio.timeout(limits.wall_s) as clock:
            process = await _start(file, name, limits)
            audio = await _answer(process, name, limits)
    except TimeoutError:
        if not clock.expired():
            raise
        raise AudioError(f"{name} could not be decoded: it took more than {limits.wall_s:g} s: {INSTEAD}") from None
    finally:
        file.close()
        if process is not None:
            await asyncio.shield(_gone(process))
    return audio


def _as_file(data: bytes | Path, name: str) -> BinaryIO:
    """The recording, to be read from its beginning, and nowhere on the disk under a name of ours."""
    if isinstance(data, Path):
        try:
            return cast(BinaryIO, data.open("rb", buffering=0))
        except OSError as error:
            raise AudioError(f"{name} cannot be opened ({error.strerror}): send it again") from None
    try:
        descriptor = os.memfd_create("recording") if hasattr(os, "memfd_create") else None
        file = os.fdopen(descriptor, "w+b") if descriptor is not None else tempfile.TemporaryFile()  # noqa: SIM115
        file.write(data)
        file.seek(0)
    except OSError as error:
        raise AudioError(f"there is no room for {name} ({error.strerror}): try again later") from None
    return cast(BinaryIO, file)


async def _start(file: BinaryIO, name: str, limits: Limits) -> Process:
    environment = {kept: os.environ[kept] for kept in KEPT if kept in os.environ}
    environment |= {
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        REQUEST: json.dumps(asdict(limits) | {"name": name}),
    }
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-E", "-P", "-B", str(CHILD),
            stdin=file, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise AudioError(f"{name} could not be decoded ({error.strerror}): try again later") from None


async def _answer(process: Process, name: str, limits: Limits) -> AudioChunk:
    """What the process writes, and no more than that may be."""
    assert process.stdout is not None
    try:
        header = json.loads(await process.stdout.readline())
        if "error" in header:
            raise AudioError(" ".join(str(header["error"]).split()))
        if "memory" in header:
            raise AudioError(_too_much(name, limits))
        rate, count = int(header["rate"]), int(header["count"])
        check_rate(rate, name)
        if not 0 < count <= limits.seconds * rate + 1:
            raise ValueError(count)
        data = bytearray(4 * count)
        rest = memoryview(data)
        while len(rest):
            if not (part := await process.stdout.read(len(rest))):
                raise EOFError
            rest[: len(part)] = part
            rest = rest[len(part) :]
    except AudioError:
        raise
    except (ValueError, KeyError, TypeError, EOFError):
        raise AudioError(_why(name, limits, await process.wait())) from None
    return AudioChunk(np.frombuffer(data, np.float32), rate, 0.0)


async def _gone(process: Process) -> None:
    """Kills what is left of it, and waits until nothing is."""
    assert process.stdout is not None
    with suppress(ProcessLookupError):
        process.kill()
    while await process.stdout.read(1 << 16):  # a full pipe would hide its end
        pass
    await process.wait()


def _too_much(name: str, limits: Limits) -> str:
    return f"{name} could not be decoded: it needed more than {limits.memory_mb} MB of memory: {INSTEAD}"


def _why(name: str, limits: Limits, code: int) -> str:
    """One line about a process that ended with `code` before it had answered."""
    if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
        return f"{name} could not be decoded: it needed more than {limits.cpu_s} s of the processor: {INSTEAD}"
    if hasattr(signal, "SIGKILL") and code == -signal.SIGKILL:
        return f"{name} could not be decoded: the decoder was killed, the machine may lack memory: try again later"
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return (
        f"{name} could not be decoded: the decoder broke down ({how}), or needed more than {limits.memory_mb} MB: "
        f"{INSTEAD}"
    )
