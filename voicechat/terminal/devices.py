"""Which microphones and loudspeakers there are, through PortAudio. It is imported only when one is needed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from voicechat.errors import InputError

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


@contextmanager
def quiet() -> Iterator[None]:
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
