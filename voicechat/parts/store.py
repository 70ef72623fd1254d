"""The folder of what has been fetched: checked before use, written whole or not at all, shared by many processes."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from voicechat.parts.download import Progress
from voicechat.parts.fetching import fetch_file, sum_of, tidy
from voicechat.parts.manifest import File, Part, PartError, part

STAMP = "checked.json"

Stamp = dict[str, tuple[str, int, int]]
"""Of each file the SHA-256, and the size and time of its last change when that was computed."""

STAMPS = TypeAdapter(Stamp)


def home() -> Path:
    """$VOICECHAT_HOME, or voicechat's folder where the platform keeps what can be fetched again."""
    if chosen := os.environ.get("VOICECHAT_HOME"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "voicechat"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "voicechat"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voicechat"


@dataclass(frozen=True, slots=True)
class Store:
    """Parts by name, each in a folder of its own. All methods raise PartError for a name that no part has."""

    home: Path = field(default_factory=home)

    def folder(self, name: str) -> Path:
        """Where a part lies, whole. Fetches nothing. Raises PartError where it is absent or has been changed."""
        name = part(name).name
        return self._whole(name, self._stamp(name))

    def verify(self, name: str) -> Path:
        """As `folder`, every byte read again."""
        return self._whole(part(name).name, {})

    def state(self, name: str) -> Literal["here", "partly", "absent"]:
        """Without a look into the files."""
        folder = self._place(part(name).name)
        if all(_seems_whole(folder / file.name, file) for file in part(name).files):
            return "here"
        return "partly" if folder.is_dir() and any(folder.iterdir()) else "absent"

    def remove(self, name: str, waiting: Callable[[], None] = lambda: None) -> bool:
        """Whether there was something. Waits for another process that fetches it, and tells `waiting`."""
        folder = self._place(part(name).name)
        if not folder.is_dir():
            return False
        try:
            with self._alone(folder, waiting):
                shutil.rmtree(folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise PartError(f"{folder} cannot be removed ({error.strerror}): remove it by hand") from None
        return True

    def fetch(self, name: str, progress: Progress, waiting: Callable[[], None] = lambda: None) -> Path:
        """The part's folder, after what is missing of it and of what it needs has been fetched.

        One process fetches; `waiting` tells of another. Raises PartError; files that have come by then are kept.
        """
        for needed in part(name).needs:
            self.fetch(needed, progress, waiting)
        folder = self._place(part(name).name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._alone(folder, waiting):
                folder.mkdir(exist_ok=True)  # another process may have removed it meanwhile
                wanted = self._wanted(name)
                for file in wanted.files:
                    fetch_file(wanted, file, folder, progress)
                tidy(folder)
                return self.folder(name)  # now, before another process may remove it
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                needs = (
                    f"{name} needs {2 * part(name).size / 1e6:.0f} MB while it is fetched; " if part(name).size else ""
                )
                raise PartError(
                    f"the disk of {folder} is full: {needs}{part(name).goes_on}; make room, or set VOICECHAT_HOME to "
                    "a folder on another disk"
                ) from None
            raise PartError(
                f"{error.filename or folder} cannot be written ({error.strerror}); {part(name).goes_on}; "
                "set VOICECHAT_HOME to a folder that can"
            ) from None

    def _place(self, name: str) -> Path:
        return self.home / "parts" / name.replace(":", "--")

    def _stamp(self, name: str) -> Stamp:
        try:
            return STAMPS.validate_json((self._place(name) / STAMP).read_bytes())
        except (OSError, ValueError):
            return {}

    def _wanted(self, name: str) -> Part:
        """The part; of a file whose sum nobody has written down, that of the first fetch counts."""
        wanted, stamp = part(name), self._stamp(name)
        known = {file.name: {"sha256": file.sha256 or stamp.get(file.name, (None,))[0]} for file in wanted.files}
        return wanted.model_copy(
            update={"files": tuple(file.model_copy(update=known[file.name]) for file in wanted.files)}
        )

    def _whole(self, name: str, believed: Stamp) -> Path:
        """The part's folder, when each file is what it must be; what is `believed` is so until it changes."""
        wanted, folder = self._wanted(part(name).name), self._place(name)
        fetch = f"python -m voicechat.parts fetch {name}"
        found: Stamp = {}
        for file in wanted.files:
            path = folder / file.name
            if not path.is_file():
                raise PartError(f"{name} is not on this disk; {wanted.goes_on}; fetch it: {fetch}")
            status = path.stat()
            seen = (status.st_size, status.st_mtime_ns)
            sum_, *before = believed.get(file.name, ("", 0, 0))
            if tuple(before) != seen or sum_ != file.sha256:
                sum_ = sum_of(path)
            if file.sha256 not in (None, sum_):
                raise PartError(f"{file.name} of {name} is not what it was; {wanted.goes_on}; fetch it again: {fetch}")
            found[file.name] = (sum_, *seen)
        if found != believed:
            _write_stamp(folder / STAMP, found)
        return folder

    @contextmanager
    def _alone(self, folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
        lock = FileLock(f"{folder}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _seems_whole(path: Path, file: File) -> bool:
    return path.is_file() and file.size in (None, path.stat().st_size)


def _write_stamp(path: Path, stamp: Stamp) -> None:
    """Whole or not at all; in a folder that is not ours to write not at all, and the files are read again next time."""
    new = path.with_suffix(".new")
    try:
        new.write_bytes(STAMPS.dump_json(stamp))
        new.replace(path)
    except OSError:
        pass
