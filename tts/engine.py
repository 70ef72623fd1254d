"""The espeak-ng library: loading, voices, and two blocking calls, for speech and for phonemes.

The library is one global state machine for the whole process, so every call is made under one lock.
"""

import ctypes
import functools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tts.voice import VoiceError

if TYPE_CHECKING:
    from ctypes import _Pointer

RATE = 22_050

_LOCK = threading.Lock()
# Milliseconds of sound a callback brings. A callback waits for the interpreter's lock: in a busy process
# one or two a clause must do.
_BUFFER_MS = 2000
_SYNCHRONOUS, _DONT_EXIT, _CHARACTERS, _UTF8, _IPA = 2, 0x8000, 1, 1, 2
_SPEED, _PITCH = 1, 3
_WORD_EVENT = 1
_ENDLESS = re.compile(r"\S{60,}")
_INSTALL = "install it with: pip install --force-reinstall espeakng-loader"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the engine speaks with: a voice file (`gmw/en-US+f2`), words a minute, and pitch 0 to 99."""

    file: str
    speed: int
    pitch: int


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class _VoiceInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # a priority byte, then the tag
        ("file", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(slots=True)
class Engine:
    """The loaded library and what its callback collects; only `languages`, `names` and `variants` are for others."""

    library: ctypes.CDLL
    callback: Callable[..., int]  # held, or the library would call freed memory
    languages: dict[str, str]
    """Language tag, in lower case -> voice file."""
    names: dict[str, str]
    """Language tag, in lower case -> what it is called in English."""
    variants: frozenset[str]
    sound: list[npt.NDArray[np.int16]]
    words: list[tuple[int, int]]
    failures: list[BaseException]
    setting: Setting | None = None


def engine() -> Engine:
    """The one engine, loaded on the first call (about 10 ms). Raises VoiceError."""
    with _LOCK:
        return _load()


def synthesize(setting: Setting, text: str) -> tuple[npt.NDArray[np.float32], list[tuple[int, int]]]:
    """Speech for `text`: mono samples at RATE, and for every word its first sample and character, from 0.

    Raises VoiceError.
    """
    with _LOCK:
        made = _set_up(setting)
        made.sound.clear()
        made.words.clear()
        made.failures.clear()
        line = _line(text)
        if made.library.espeak_Synth(line, len(line), 0, _CHARACTERS, 0, _UTF8, None, None):
            raise VoiceError("espeak-ng failed on this piece; its text is still shown; try another voice")
        if made.failures:
            raise made.failures[0]
        sound = np.concatenate(made.sound) if made.sound else np.zeros(0, np.int16)
        return sound.astype(np.float32) / np.float32(32768), list(made.words)


def phonemes(setting: Setting, text: str) -> str:
    """How `text` is pronounced, in IPA, its words parted by spaces; marks are left out. Raises VoiceError."""
    with _LOCK:
        made = _set_up(setting)
        rest = ctypes.c_char_p(_line(text))
        clauses = []
        while rest.value:
            clauses.append(made.library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA) or b"")
        return b" ".join(clauses).decode()


def _line(text: str) -> bytes:
    return _ENDLESS.sub(_broken, text.replace("\0", " ")).encode("utf-8", "replace") + b"\0"


def _broken(endless: re.Match[str]) -> str:
    """An endless word with spaces for its marks: the engine aborts the process on a long enough "A.A.A."."""
    spaced = "".join(char if char.isalnum() else " " for char in endless.group())
    return re.sub(r"(\S{60})\S", r"\1 ", spaced)


def _set_up(setting: Setting) -> Engine:
    """With the lock: the engine, with this voice."""
    made = _load()
    if made.setting != setting:
        made.setting = None
        _set(made.library, setting)
        made.setting = setting
    return made


def _set(library: ctypes.CDLL, setting: Setting) -> None:
    failed = library.espeak_SetVoiceByName(setting.file.encode())
    failed = failed or library.espeak_SetParameter(_SPEED, setting.speed, 0)
    failed = failed or library.espeak_SetParameter(_PITCH, setting.pitch, 0)
    if failed:
        raise VoiceError(f"espeak-ng cannot use its voice file {setting.file}; take `espeak:en-us` instead")


@functools.cache
def _load() -> Engine:
    try:
        import espeakng_loader

        data = Path(espeakng_loader.get_data_path())
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint),
            *(ctypes.c_void_p, ctypes.c_void_p),
        ]
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceInfo))
        rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, str(data).encode(), _DONT_EXIT)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise VoiceError(f"espeak-ng cannot be loaded ({error}); text still works; {_INSTALL}") from error
    if rate != RATE:
        raise VoiceError(f"espeak-ng did not start with the data in {data}; text still works; {_INSTALL}")

    sound: list[npt.NDArray[np.int16]] = []
    words: list[tuple[int, int]] = []
    failures: list[BaseException] = []

    def collect(samples: "_Pointer[ctypes.c_short]", count: int, events: "_Pointer[_Event]") -> int:
        try:
            if samples and count > 0:
                # not as_array, which makes a ctypes type for each length, for ever
                sound.append(np.frombuffer(ctypes.string_at(samples, 2 * count), np.int16))
            index = 0
            while events[index].type:
                if events[index].type == _WORD_EVENT:
                    words.append((events[index].sample, events[index].position - 1))
                index += 1
        except BaseException as failure:  # the library cannot carry it (Ctrl-C, say); `synthesize` raises it
            failures.append(failure)
            return 1
        return 0

    callback = _Callback(collect)
    library.espeak_SetSynthCallback(callback)
    variants = frozenset(path.name for path in (data / "voices" / "!v").iterdir())
    return Engine(library, callback, *_languages(library, data), variants, sound, words, failures)


def _languages(library: ctypes.CDLL, data: Path) -> tuple[dict[str, str], dict[str, str]]:
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    listing = library.espeak_ListVoices(None)
    index = 0
    while listing[index]:
        info = listing[index].contents
        tag = ctypes.string_at(info.languages + 1).decode().lower()
        # Some languages come without their dictionary; the library would stay silent in them.
        if (data / f"{tag.split('-')[0]}_dict").exists():
            found.setdefault(tag, info.file.decode())
            names.setdefault(tag, info.name.decode())
        index += 1
    for tag, file in list(found.items()):  # `en` and `fr`, where the tag is `en-gb` and `fr-fr`
        found.setdefault(Path(file).name.lower(), file)
        names.setdefault(Path(file).name.lower(), names[tag])
    return found, names
