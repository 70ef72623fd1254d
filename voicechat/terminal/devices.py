"""Microphones and loudspeakers, through PortAudio. Imported only when one is needed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

import numpy as np

from streaming.audio import AudioChunk
from voicechat.errors import InputError
from voicechat.events import Spoken
from voicechat.terminal.queue import SoundQueue

BLOCK_S = 0.02  # of sound, from the microphone and to the loudspeaker
OUTPUT_LATENCY_S = 0.06  # low, and enough to bridge the moments in which the model keeps Python busy
SILENT_S = 3.0  # after so long without a single sample the microphone is taken to be gone
INSTEAD = "--input F.wav and --output F.wav work without sound devices"

Kind = Literal["input", "output"]
NAMES: dict[Kind, str] = {"input": "microphone", "output": "loudspeaker"}


def portaudio() -> Any:
    """The module `sounddevice`. Raises InputError where PortAudio is not installed."""
    try:
        import sounddevice
    except OSError:
        raise InputError(
            f"the PortAudio library is missing: `apt-get install libportaudio2` (or portaudio with brew); {INSTEAD}"
        ) from None
    return sounddevice


@dataclass(frozen=True, slots=True)
class Device:
    """What a stream is opened with."""

    index: int
    name: str
    rate: int  # Hz
    channels: int


def choose(wanted: str | None, kind: Kind, rate: int) -> Device:
    """The device of that number or name (None: the system's choice), at `rate` Hz if it takes that, else its own.

    Raises InputError, saying what to do.
    """
    sounddevice, name = portaudio(), NAMES[kind]
    number = int(wanted) if wanted and wanted.isdecimal() else wanted
    try:
        found = sounddevice.query_devices(number, kind)
    except (ValueError, sounddevice.PortAudioError):
        if wanted is None:
            raise InputError(f"no {name} was found: connect one and see `--list-devices`; {INSTEAD}") from None
        raise InputError(f"no {name} fits {wanted!r}: `--list-devices` shows the numbers and names") from None
    check = sounddevice.check_input_settings if kind == "input" else sounddevice.check_output_settings
    index, own = int(found["index"]), int(found["default_samplerate"])
    for tried in dict.fromkeys((rate, own)):
        for channels in (1, 2):
            try:
                check(device=index, channels=channels, dtype="float32", samplerate=tried)
            except (ValueError, sounddevice.PortAudioError) as error:
                why = str(error)
            else:
                return Device(index, str(found["name"]), tried, channels)
    raise InputError(f"the {name} {found['name']!r} cannot be opened ({why}): choose another from `--list-devices`")


def listing() -> str:
    """What there is to listen and to play with, one device a line; `*` marks the system's choice."""
    sounddevice = portaudio()
    lines = []
    for kind in NAMES:
        devices = [d for d in sounddevice.query_devices() if d[f"max_{kind}_channels"] > 0]
        lines.append(f"--{NAMES[kind]}" if devices else f"--{NAMES[kind]}: none was found")
        chosen = sounddevice.default.device[kind]
        lines += [f"  {'*' if d['index'] == chosen else ' '} {d['index']:>2}  {d['name']}" for d in devices]
    return "\n".join(lines)


async def microphone(device: Device, level: Callable[[float], None]) -> AsyncGenerator[AudioChunk, None]:
    """What the microphone hears, for ever; `level` is told the RMS of each block, full scale being 1.

    Raises InputError when it cannot be opened, or delivers nothing any more.
    """
    sounddevice = portaudio()
    loop, blocks = asyncio.get_running_loop(), asyncio.Queue[np.ndarray]()

    def callback(samples: np.ndarray, *_: Any) -> None:  # on PortAudio's thread
        loop.call_soon_threadsafe(blocks.put_nowait, samples.mean(axis=1, dtype=np.float32))

    try:
        stream = sounddevice.InputStream(
            samplerate=device.rate, device=device.index, channels=device.channels, dtype="float32",
            blocksize=round(BLOCK_S * device.rate), latency="low", callback=callback,
        )  # fmt: skip
    except sounddevice.PortAudioError as error:
        raise InputError(f"the microphone {device.name!r} cannot be opened ({error}): {INSTEAD}") from None
    received = 0
    with stream:
        while True:
            try:
                block = await asyncio.wait_for(blocks.get(), SILENT_S)
            except TimeoutError:
                raise InputError(
                    f"the microphone {device.name!r} delivers nothing: reconnect it, start again"
                ) from None
            level(float(np.sqrt(np.mean(block * block))))
            yield AudioChunk(block, device.rate, received / device.rate)
            received += len(block)


class Loudspeaker:
    """Plays the answers, and knows what of them has reached the ear."""

    def __init__(self, device: Device) -> None:
        sounddevice = portaudio()
        self._queue = SoundQueue(device.rate)
        self._marks: deque[tuple[float, int, float]] = deque()  # (when it is heard, turn, seconds of it)
        self._heard = (0, 0.0)
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=device.rate, device=device.index, channels=device.channels, dtype="float32",
                blocksize=round(BLOCK_S * device.rate), latency=OUTPUT_LATENCY_S, callback=self._callback,
            )  # fmt: skip
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise InputError(f"the loudspeaker {device.name!r} cannot be opened ({error}): {INSTEAD}") from None

    def add(self, sound: Spoken) -> None:
        self._queue.add(sound)

    def finish(self, turn: int) -> None:
        self._queue.finish(turn)

    def stop(self, turn: int) -> None:
        self._queue.stop(turn)

    def played(self) -> tuple[int, float]:
        now = monotonic()
        while self._marks and self._marks[0][0] <= now:
            _, *heard = self._marks.popleft()
            self._heard = (heard[0], heard[1])
        return self._heard

    def close(self) -> None:
        """Silence, at once."""
        self._stream.abort()
        self._stream.close()

    def _callback(self, out: np.ndarray, size: int, *_: Any) -> None:  # on PortAudio's thread
        samples = self._queue.take(size)
        out[: len(samples)] = samples[:, None]
        out[len(samples) :] = 0
        if len(samples):
            turn, taken = self._queue.position
            # A resampled answer may come out a sample shorter than it went in: 1 ms makes up for it.
            self._marks.append((monotonic() + self._stream.latency + BLOCK_S, turn, taken / self._queue.rate + 0.001))
