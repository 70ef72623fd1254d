"""Who listens to the voices: Whisper base, run by faster-whisper in a process and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import report
from voicechat.parts import PartError, Store

PART = "whisper:base"
ENVIRONMENT = report.ROOT / ".venv" / "clients" / "whisper"
PROGRAM = Path(__file__).parent / "listeners" / "whisper.py"


class ListenerError(Exception):
    """Nobody can listen; the message is one line that says what to do."""


@contextmanager
def listener() -> Iterator[Callable[[Path], str]]:
    """What is heard in a WAV file, as text: "" where nothing is. Both raise ListenerError."""
    try:
        folder = Store().folder(PART)
    except PartError as error:
        raise ListenerError(str(error)) from None
    if not (ENVIRONMENT / "made").exists():
        raise ListenerError("whisper has no environment here: make .venv/clients/whisper/made")
    command = [ENVIRONMENT / "bin" / "python", PROGRAM, folder]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        asked, told = process.stdin, process.stdout

        def answer() -> dict[str, str]:
            line = told.readline()
            if not line:
                raise ListenerError(f"whisper has ended with exit code {process.wait()}; its message is above")
            found: dict[str, str] = json.loads(line)
            return found

        def heard(wav: Path) -> str:
            with suppress(BrokenPipeError):  # it has ended, which its answer tells
                asked.write(f"{wav.absolute()}\n")
                asked.flush()
            return answer()["heard"]

        try:
            answer()
            yield heard
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                asked.close()


def version() -> str:
    """The listener in a few words, with the version of what runs it."""
    found = next(ENVIRONMENT.glob("lib/python*/site-packages/faster_whisper-*.dist-info"), None)
    number = found.name.removeprefix("faster_whisper-").removesuffix(".dist-info") if found else "unknown"
    return f"{PART}, faster-whisper {number}"
