"""Whether a file could be written, found out without making or touching anything."""

from __future__ import annotations

import os
import stat
from argparse import ArgumentTypeError
from pathlib import Path

from voicechat.errors import InputError


def check_writable(what: str, path: Path, example: str, seeks: bool = False) -> None:
    """Raises InputError where `path` cannot be written; the message calls it `what`.

    `example` is a name that a file in a folder could have. `seeks`: it is gone back in, as pipes and terminals cannot.
    """
    try:
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{what} {path} is a folder: add a file name, e.g. {path / example}")
        if mode is None:
            _check_folder(what, path)
        elif seeks and not _seekable(path, mode):
            raise InputError(f"{what} {path} is no file that can be gone back in: give the name of a file")
        elif not stat.S_ISFIFO(mode):  # without a reader it would not open
            os.close(os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        raise InputError(f"{what} {path} cannot be written ({error.strerror}): choose another place") from None


def check_folder(what: str, path: Path) -> None:
    """Raises InputError where nothing can be written in the folder `path`, or it cannot be made."""
    try:
        above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise InputError(f"{what} {path} cannot be a folder, {above} is a file: choose another name")
        if not os.access(above, os.W_OK | os.X_OK):
            raise InputError(f"{what} {path} cannot be written, nothing may be made in {above}: choose another place")
    except OSError as error:
        raise InputError(f"{what} {path} cannot be written ({error.strerror}): choose another place") from None


def new_file(text: str) -> Path:
    """An argument of a command, checked before hours of work are lost for want of a place for their result."""
    path = Path(text)
    try:
        check_writable("the file", path, "result.json")
    except InputError as error:
        raise ArgumentTypeError(str(error)) from None
    return path


def new_folder(text: str) -> Path:
    """The same of a folder, which is made later where there is none."""
    path = Path(text)
    try:
        check_folder("the folder", path)
    except InputError as error:
        raise ArgumentTypeError(str(error)) from None
    return path


def same_file(one: Path, other: Path) -> bool:
    """Whether they are one file, by whatever names; or will be, where there is none yet. Devices may be shared."""
    try:
        return one.samefile(other) and not stat.S_ISCHR(one.stat().st_mode)
    except OSError:
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _check_folder(what: str, path: Path) -> None:
    """Where the new file will be: of a link that leads nowhere yet, where it leads."""
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        shown = folder if path.is_symlink() else path.parent
        raise InputError(f"{what} {path} cannot be written, there is no folder {shown}: create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{what} {path} cannot be written, nothing may be made in {folder}: choose another place")


def _seekable(path: Path, mode: int) -> bool:
    if stat.S_ISCHR(mode):
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        try:
            return not os.isatty(descriptor)
        finally:
            os.close(descriptor)
    return stat.S_ISREG(mode)
