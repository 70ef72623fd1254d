"""Microphones and loudspeakers, through PortAudio. Imported only when one is needed."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any, Literal

import numpy as np

from streaming.audio import AudioChunk, MixDown
from voicechat.errors import InputError
from voicechat.events import Spoken
from voicechat.terminal.loopback import Loopback
from voicechat.terminal.options import complain
from voicechat.terminal.queue import SoundQueue

BLOCK_S = 0.02  # of sound, from the microphone and to the loudspeaker
SILENT_S = 3.0  # after so long without a single sample a device is taken to be gone
AGAIN_S = 1.0  # between two attempts to open one that has gone

Kind = Literal["input", "output"]
NAMES: dict[Kind, str] = {"input": "microphone", "output": "loudspeaker"}
INSTEAD: dict[Kind, str] = {  # what works without such a device
    "input": "recordings take its place with `--input F.wav`, typed words with `--text`",
    "output": "`--output F.wav` writes the answers instead",
}


def portaudio() -> Any:
    """The module `sounddevice`. Raises InputError where PortAudio is not installed."""
    try:
        import sounddevice
    except OSError:
        raise InputError(
            "the PortAudio library is missing: `apt-get install libportaudio2` (on a Mac `brew install portaudio`); "
            "`--input F.wav --output F.wav` works without"
        ) from None
    _silence_alsa()
    return sounddevice


@cache
def _silence_alsa() -> Callable[..., None] | None:
    """Linux's sound library writes to stderr whatever happens, an underrun even; errors come as codes as well."""
    kinds = (ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
    handler = ctypes.CFUNCTYPE(None, *kinds)(lambda *_: None)
    try:
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(handler)
    except (OSError, AttributeError):
        return None
    return handler  # kept alive by the cache


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
            raise InputError(f"no {name} was found: connect one and see `--list-devices`; {INSTEAD[kind]}") from None
        raise InputError(f"no {name} fits {wanted!r}: `--list-devices` shows the numbers and names") from None
    check = sounddevice.check_input_settings if kind == "input" else sounddevice.check_output_settings
    index, own = int(found["index"]), int(found["default_samplerate"])
    # A system that makes one channel of a microphone's two takes the mean, in which a balanced cable is silent.
    wide = kind == "input" and found["max_input_channels"] >= 2
    for tried in dict.fromkeys((rate, own)):
        for channels in (2, 1) if wide else (1, 2):
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


async def microphone(
    device: Device, level: Callable[[float], None], clean: Callable[[AudioChunk], AudioChunk]
) -> AsyncGenerator[AudioChunk, None]:
    """What the microphone hears, for ever, as `clean` leaves it; `level` is told the RMS of each block, full scale
    being 1.

    One that goes is waited for. Raises InputError when it cannot be opened in the first place, or delivers nothing.
    """
    mix, received, gone = MixDown(device.rate), 0, False
    while True:
        try:
            async with aclosing(_blocks(device, again=gone)) as blocks:
                async for wide in blocks:
                    if gone:
                        complain(f"the microphone {device.name!r} is back")
                        gone = False
                    block = mix.push(wide)
                    level(float(np.sqrt(np.mean(block * block))))
                    yield clean(AudioChunk(block, device.rate, received / device.rate))
                    received += len(block)
        except InputError as error:
            if not received:
                raise
            if not gone:
                complain(f"{error}; it is heard again as soon as it is there")
                gone = True
        await asyncio.sleep(AGAIN_S)


async def _blocks(device: Device, again: bool) -> AsyncGenerator[np.ndarray, None]:
    """float32 [n, channels], until the microphone delivers nothing any more. Raises InputError then, and when it
    cannot be opened."""
    sounddevice = portaudio()
    loop, blocks = asyncio.get_running_loop(), asyncio.Queue[np.ndarray]()

    def callback(samples: np.ndarray, *_: Any) -> None:  # on PortAudio's thread
        loop.call_soon_threadsafe(blocks.put_nowait, samples.copy())

    try:
        with _quiet() if again else nullcontext():
            stream = sounddevice.InputStream(
                samplerate=device.rate, device=device.index, channels=device.channels, dtype="float32",
                blocksize=round(BLOCK_S * device.rate), latency="low", callback=callback,
            )  # fmt: skip
            stream.start()
    except sounddevice.PortAudioError as error:
        raise InputError(f"the microphone {device.name!r} cannot be opened ({error}): {INSTEAD['input']}") from None
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):  # wait_for would swallow a cancellation, now and then
                    block = await blocks.get()
            except TimeoutError:
                raise InputError(f"the microphone {device.name!r} delivers nothing: reconnect it") from None
            yield block
    finally:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """PortAudio writes to stderr why a device cannot be opened, whoever asks; of one that is tried again and again
    that is known."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


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
            with suppress(InputError), _quiet():
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
