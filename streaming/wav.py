"""What the header of a WAV file promises, and whether it is there."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class WavData:
    """The data chunk of a WAV file: where it begins, the bytes it promises, the bytes that are there."""

    offset: int
    size: int
    there: int
    byte_rate: int
    riff_size: int

    @classmethod
    def of(cls, file: BinaryIO) -> WavData | None:
        """Walks the RIFF chunks up to `data`; None where the file is not a WAV or ends before it."""
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        byte_rate = 0
        while len(chunk := file.read(8)) == 8:
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            at = file.tell()
            if name == b"data":
                return cls(at, size, end - at, byte_rate, struct.unpack("<I", head[4:8])[0])
            if name == b"fmt ":
                byte_rate = struct.unpack("<I", file.read(12)[8:].ljust(4, b"\0"))[0]
            file.seek(at + size + size % 2)
        return None

    @property
    def streamed(self) -> bool:
        """Written by a program that could not go back to fill in the size: 0, or a number beyond any file."""
        true_riff_size = self.offset + self.there - 8
        return self.size >= 0x7FFF0000 or (self.size == 0 and self.riff_size != true_riff_size)

    @property
    def cut(self) -> bool:
        return not self.streamed and self.size > self.there

    @property
    def unsized(self) -> bool:
        """Whether libsndfile, which takes a 0 by its word, would read nothing of it."""
        return self.streamed and self.size == 0

    def with_size(self, file: BinaryIO) -> io.BytesIO:
        """A copy of the file whose header tells the truth."""
        file.seek(0)
        whole = io.BytesIO(file.read())
        whole.seek(self.offset - 4)
        whole.write(struct.pack("<I", self.there))
        whole.seek(4)
        whole.write(struct.pack("<I", self.offset + self.there - 8))
        whole.seek(0)
        return whole
