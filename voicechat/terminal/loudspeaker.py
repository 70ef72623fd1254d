"""What a loudspeaker plays, and what of it has been heard."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any

import numpy as np

from voicechat.errors import InputError
from voicechat.events import Spoken
from voicechat.terminal.devices import AGAIN_S, BLOCK_S, INSTEAD, SILENT_S, Device, portaudio, quiet
from voicechat.terminal.loopback import Loopback
from voicechat.terminal.options import complain
from voicechat.terminal.queue import SoundQueue


class Loudspeaker:
    """Plays the answers, and knows what of them has reached the ear."""

    lost = False

    def __init__(self, device: Device, latency_s: float) -> None:
        self.loopback = Loopback(device.rate)
        self._device, self._latency_s = device, latency_s
        self._called = self._tried = monotonic()  # by PortAudio; when it was opened last
        self._gone = False
        self._queue = SoundQueue(device.rate)
        self._marks: deque[tuple[float, int, float]] = deque()  # (when it is heard, turn, seconds of it)
        self._heard = (0, 0.0)
        self._stream = self._open()

    def _open(self) -> Any:
        """A stream that runs. Raises InputError."""
        sounddevice, device = portaudio(), self._device
        try:
            stream = sounddevice.OutputStream(
                samplerate=device.rate, device=device.index, channels=device.channels, dtype="float32",
                blocksize=round(BLOCK_S * device.rate), latency=self._latency_s, callback=self._callback,
            )  # fmt: skip
            stream.start()
        except sounddevice.PortAudioError as error:
            raise InputError(
                f"the loudspeaker {device.name!r} cannot be opened ({error}): {INSTEAD['output']}"
            ) from None
        return stream

    def begin(self) -> None:
        """It runs already."""

    def add(self, sound: Spoken) -> None:
        self._queue.add(sound)

    def finish(self, turn: int) -> None:
        self._queue.finish(turn)

    def stop(self, turn: int) -> None:
        self._queue.stop(turn)

    def turn_down(self, turn: int, gain: float) -> None:
        self._queue.turn_down(turn, gain)

    def played(self) -> tuple[int, float]:
        now = monotonic()
        self._watch(now)
        while self._marks and self._marks[0][0] <= now:
            _, turn, seconds = self._marks.popleft()
            self._heard = (turn, seconds)
        return self._heard

    def close(self) -> None:
        """Silence, at once."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _watch(self, now: float) -> None:
        """PortAudio asks for sound all the time, be it silence. A device that asks no more has gone, and is waited for:
        what had not been played is played when it is back."""
        if now - self._called < SILENT_S:
            if self._gone and self._called > self._tried + AGAIN_S:  # opened, it asks for a little at once
                complain(f"the loudspeaker {self._device.name!r} is back")
                self._gone = False
            return
        if not self._gone:
            complain(
                f"the loudspeaker {self._device.name!r} takes no more sound: reconnect it; the answers wait for it"
            )
            self._gone = True
        if now - self._tried >= AGAIN_S:
            self._tried = now
            self.close()
            with suppress(InputError), quiet():
                self._stream = self._open()

    def _callback(self, out: np.ndarray, size: int, *_: Any) -> None:  # on PortAudio's thread
        self._called = monotonic()
        samples = self._queue.take(size)
        out[: len(samples)] = samples[:, None]
        out[len(samples) :] = 0
        self.loopback.play(out[:, 0].copy())
        if len(samples):
            turn, taken = self._queue.position
            # A resampled answer may come out a sample shorter than it went in: 1 ms makes up for it.
            self._marks.append((monotonic() + self._stream.latency + BLOCK_S, turn, taken / self._queue.rate + 0.001))
