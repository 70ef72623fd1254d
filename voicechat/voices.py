"""The voices by name: which there are, what is known of each, and which one speaks where none was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tts.voice import Voice, VoiceError, load_voice, voices

CHOSEN = "auto"
CHOICE = "piper:joe where it has been fetched, else espeak"
NATURAL = "piper:joe"
PLAIN = "espeak"
SHORT = {NATURAL: "piper:en_US-joe-medium"}
KOKORO = "kokoro"
SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A voice as a person chooses it. `megabytes`: what it takes on the disk; 0 where it comes with the program."""

    name: str
    language: str
    licence: str
    here: bool
    megabytes: int = 0


def load_for_operator(name: str) -> Voice:
    """The voice that whoever runs the program names: as `load`, or `piper:FOLDER` with a slash. Raises VoiceError."""
    kind, _, folder = name.partition(":")
    if kind == "piper" and "/" in folder:
        return _piper(Path(folder).expanduser(), 1.0)
    return load(name)


def load(name: str = CHOSEN, speed: float = 1.0) -> Voice:
    """The voice of that name, `speed` against its usual one; the nearest it can, where it cannot.

    Names: `auto` (the natural one if it is on the disk), `piper:joe`, another of Piper's as in
    `piper:en_GB-alba-medium`, a style of Kokoro's as in `kokoro:jf_alpha`, and those that `tts.voice.load_voice`
    takes. Nothing is fetched. Raises VoiceError.
    """
    name = full(name)
    speed = min(FASTEST, max(SLOWEST, speed))
    kind, _, style = name.partition(":")
    if kind not in ("piper", KOKORO):
        return load_voice(name, speed)
    from voicechat.parts import PartError, Store  # here, not above: a terminal of another server needs none of it

    try:
        return _kokoro(style, speed) if kind == KOKORO else _piper(Store().folder(name), speed)
    except PartError as error:
        raise VoiceError(str(error)) from None


def full(name: str) -> str:
    """The whole name behind `auto` and `piper:joe`; any other as it is."""
    return default() if name == CHOSEN else SHORT.get(name, name)


def default() -> str:
    """The voice that speaks where none was chosen."""
    return SHORT[NATURAL] if _is_here(SHORT[NATURAL]) else PLAIN


def notice() -> str:
    """A line for a person whose machine lacks the natural voice, or ""."""
    if default() != PLAIN:
        return ""
    return f"speaking with espeak; for a natural voice, once: python -m voicechat.parts fetch {NATURAL}"


def listed() -> Iterator[Listed]:
    """Every voice that can be had: those on the disk, those that can be fetched, and espeak's."""
    from voicechat.parts import part, parts
    from voicechat.parts.manifest import INSIDE, STYLES

    for each in parts().values():
        if each.kind == "voice" and each.name.startswith("piper:"):
            yield Listed(each.name, each.language, each.licence, _is_here(each.name), round(each.size / 1e6))
    for style in (*INSIDE, *STYLES):
        own = part(f"{KOKORO}:{style}")
        wanted = (own, *map(part, own.needs))
        here = all(_is_here(each.name) for each in wanted)
        size = sum(each.size for each in wanted)
        yield Listed(f"{KOKORO}:{style}", own.language, own.licence, here, round(size / 1e6))
    for name in voices():
        licence = "with the program" if name == "tone" else "GPL-3.0"
        yield Listed(name, name.partition(":")[2] or "en-us", licence, here=True)


def listing() -> str:
    """A line for each voice: its name, language and licence, and whether it is here."""
    rows = [
        (each.name, each.language, each.licence,
         "on this disk" if each.here else f"can be fetched, {each.megabytes} MB")
        for each in listed()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _piper(folder: Path, speed: float) -> Voice:
    from tts.following import Following
    from tts.piper import Piper

    voice = Piper(folder, speed)
    return Following(voice, voice.language, speed)


def _kokoro(style: str, speed: float) -> Voice:
    from tts import kokoro
    from tts.espeak import Espeak
    from tts.following import Following
    from tts.resampled import Resampled
    from voicechat.parts import Store

    own = Store().folder(f"{KOKORO}:{style}")  # first: its message names what brings both
    voice = kokoro.Kokoro(Store().folder(KOKORO), kokoro.style(own, style), speed)
    return Following(voice, voice.language, speed, lambda name, words: Resampled(Espeak(name, words), voice.rate))


def _is_here(part: str) -> bool:
    from voicechat.parts import PartError, Store

    try:
        Store().folder(part)
    except PartError:
        return False
    return True
