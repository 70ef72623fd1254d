"""A file that is written while a conversation lasts, which no full disk ends."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import cast

from voicechat.terminal.options import complain


class KeptFile:
    """Unbuffered, and made when the conversation has begun. Where it cannot be written, that is said once."""

    def __init__(self, option: str, path: Path, mode: str) -> None:
        """`option` is how the command line calls it; `mode` is "wb" or "ab"."""
        self._option, self._path, self._mode = option, path, mode
        self._raw: io.FileIO | None = None
        self.lost = False  # something that should be in it is not

    def begin(self) -> bool:
        """Makes the file, the first time; whether it takes anything."""
        if self._raw is None and not self.lost:
            try:
                self._raw = cast(io.FileIO, self._path.open(self._mode, buffering=0))
            except OSError as error:
                self.lose(error)
        return not self.lost

    def append(self, data: bytes) -> None:
        """All of it, or nothing. Raises OSError."""
        assert self._raw is not None
        try:
            end = self._raw.seek(0, io.SEEK_END)
        except OSError:  # a pipe
            end = None
        try:
            self.write(data)
        except OSError:
            if end is not None:
                with suppress(OSError):
                    self._raw.truncate(end)
            raise

    def write(self, data: bytes) -> int:
        """All of it. Raises OSError."""
        assert self._raw is not None
        rest = memoryview(data)
        while len(rest):  # a disk that fills up takes a part first, and says nothing
            written = self._raw.write(rest)
            rest = rest[written or 0 :]
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        assert self._raw is not None
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        assert self._raw is not None
        return self._raw.tell()

    def flush(self) -> None:
        """Nothing waits."""

    def lose(self, error: OSError) -> None:
        if not self.lost:
            complain(
                f"{self._option} {self._path} cannot be written ({error.strerror}): what comes from now on is not in "
                "it, the conversation goes on; make room, or give another place"
            )
        self.lost = True

    def close(self) -> None:
        if self._raw is not None:
            try:
                self._raw.close()
            except OSError as error:  # a network's disk tells it only now
                self.lose(error)
