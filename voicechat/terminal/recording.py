"""What a conversation leaves on the disk: the spoken answers as a WAV, the events as JSON lines."""

from __future__ import annotations

import json
import wave
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import BinaryIO, cast

import numpy as np

from voicechat.events import Event, Spoken, as_json
from voicechat.terminal.kept import KeptFile
from voicechat.terminal.queue import SoundQueue


class Recording:
    """A WAV file in the loudspeaker's place: 16 bit, mono, the answers one after the other.

    Paced, it takes in an answer as slowly as a loudspeaker plays it, so what an interruption cuts off
    is not in it, and an answer that was held goes on without a gap. The file is valid whenever the program
    ends: each write brings its header up to date. On a full disk it ends early, and time goes on as if it did not.
    """

    def __init__(self, path: Path, rate: int, paced: bool) -> None:
        self._queue, self._paced = SoundQueue(rate), paced
        self._time = monotonic()
        self._kept = KeptFile("--output", path, "wb")
        self._file: wave.Wave_write | None = None

    @property
    def lost(self) -> bool:
        """Whether answers are missing in it."""
        return self._kept.lost

    def begin(self) -> None:
        """Makes the file, and overwrites what was there: the conversation has begun."""
        if self._file is None and self._kept.begin():
            self._file = wave.open(cast(BinaryIO, self._kept), "wb")  # noqa: SIM115
            self._file.setnchannels(1)
            self._file.setsampwidth(2)
            self._file.setframerate(self._queue.rate)
            self._append(b"")

    def add(self, sound: Spoken) -> None:
        self.begin()
        self._queue.add(sound)
        if not self._paced:
            self._write(len(sound.samples))

    def finish(self, turn: int) -> None:
        self._queue.finish(turn)

    def stop(self, turn: int) -> None:
        self._queue.stop(turn)

    def turn_down(self, turn: int, gain: float) -> None:
        if self._paced:  # else all that came has been written
            self._queue.turn_down(turn, gain)

    def played(self) -> tuple[int, float]:
        if self._paced:
            now = monotonic()
            due = round((now - self._time) * self._queue.rate)
            self._time = now
            self._write(due)
        turn, samples = self._queue.position
        return turn, samples / self._queue.rate

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # the header of a file that holds nothing
                self._file.close()
        self._kept.close()

    def _append(self, frames: bytes) -> None:
        if self._file is not None and not self._kept.lost:
            try:
                self._file.writeframes(frames)
            except OSError as error:
                self._kept.lose(error)

    def _write(self, size: int) -> None:
        samples = self._queue.take(size)
        if len(samples):
            whole = np.clip(np.round(samples * 32_767), -32_768, 32_767).astype("<i2")
            self._append(whole.tobytes())


class Unplayed:
    """No loudspeaker: the answers are only read."""

    lost = False

    def begin(self) -> None:
        pass

    def add(self, sound: Spoken) -> None:
        pass

    def finish(self, turn: int) -> None:
        pass

    def stop(self, turn: int) -> None:
        pass

    def turn_down(self, turn: int, gain: float) -> None:
        pass

    def played(self) -> tuple[int, float]:
        return 0, 0.0

    def close(self) -> None:
        pass


class EventLog:
    """Appends to a file of JSON lines, whole ones only; without a path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._kept = KeptFile("--events", path, "ab") if path else None

    @property
    def lost(self) -> bool:
        """Whether events are missing in it."""
        return self._kept is not None and self._kept.lost

    def begin(self) -> None:
        """Makes the file, where there is none: the conversation has begun."""
        if self._kept is not None:
            self._kept.begin()

    def write(self, event: Event) -> None:
        kept = self._kept
        if kept is None or not kept.begin():
            return
        line = json.dumps(as_json(event), ensure_ascii=False) + "\n"
        try:
            kept.append(line.encode(errors="replace"))
        except OSError as error:
            kept.lose(error)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept is not None:
            self._kept.close()
