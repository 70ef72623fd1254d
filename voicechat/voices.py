"""The voices by name: which there are, what is known of each, and which one speaks where none was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts.voice import Voice, VoiceError, load_voice, voices

if TYPE_CHECKING:
    from voicechat.parts import Part

CHOSEN = "auto"
CHOICE = "piper:joe where it has been fetched, else espeak"
NATURAL = "piper:joe"
PLAIN = "espeak"
SHORT = {NATURAL: "piper:en_US-joe-medium"}
KOKORO, XTTS = "kokoro", "xtts"
SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A voice as a person chooses it. `megabytes`: what it takes on the disk; 0 where it comes with the program."""

    name: str
    called: str
    language: str
    licence: str
    here: bool
    megabytes: int = 0

    @property
    def label(self) -> str:
        """In a menu."""
        fetched = () if self.here else (f"to be fetched{f', {self.megabytes} MB' if self.megabytes else ''}",)
        return " · ".join((self.called, self.language, self.licence.partition(",")[0], *fetched))


def load_for_operator(name: str) -> Voice:
    """The voice that whoever runs the program names: as `load`, `piper:FOLDER` with a slash, or `xtts:RECORDING.wav`.

    Raises VoiceError.
    """
    kind, _, file = name.partition(":")
    if kind == "piper" and "/" in file:
        return _piper(Path(file).expanduser(), 1.0)
    if kind == XTTS and Path(file).suffix:
        return _xtts(Path(file).expanduser(), 1.0)
    return load(name)


def load(name: str = CHOSEN, speed: float = 1.0) -> Voice:
    """The voice of that name, `speed` against its usual one; the nearest it can, where it cannot.

    Names: `auto` (the natural one if it is on the disk), `piper:joe`, another of Piper's as in
    `piper:en_GB-alba-medium`, a style of Kokoro's as in `kokoro:jf_alpha`, `xtts` or one of its speakers as in
    `xtts:Ana Florence`, and those that `tts.voice.load_voice` takes. Nothing is fetched. Raises VoiceError.
    """
    name = full(name)
    speed = min(FASTEST, max(SLOWEST, speed))
    kind, _, variety = name.partition(":")
    if kind not in ("piper", KOKORO, XTTS):
        return load_voice(name, speed)
    from voicechat.parts import PartError, Store  # here, not above: a terminal of another server needs none of it

    try:
        if kind == KOKORO:
            return _kokoro(variety, speed)
        return _xtts(variety, speed) if kind == XTTS else _piper(Store().folder(name), speed)
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
            yield _fetched(each.name, each.name.split("-")[1].title(), each.language, (each,))
    for style in (*INSIDE, *STYLES):
        own = part(f"{KOKORO}:{style}")
        called, language = style.partition("_")[2].title(), "en-GB" if style.startswith("b") else "en-US"
        yield _fetched(f"{KOKORO}:{style}", f"{called} (Kokoro)", language, (own, *map(part, own.needs)))
    yield _fetched(XTTS, "XTTS", "17 languages", (part(XTTS),))
    yield from map(_built_in, voices())


def label(name: str) -> str:
    """In a menu, of a voice that is not listed: a variant of espeak's, as in `espeak:en-us+f3`, or a folder."""
    return _built_in(name).label if name.startswith("espeak:") else name


def _fetched(name: str, called: str, language: str, wanted: tuple[Part, ...]) -> Listed:
    here = all(_is_here(each.name) for each in wanted)
    size = round(sum(each.size for each in wanted) / 1e6)
    return Listed(name, called, _language(language), wanted[0].licence, here, size)


def _built_in(name: str) -> Listed:
    kind, _, variety = name.partition(":")
    language, _, variant = (variety or "en-us").partition("+")
    licence = "with the program" if kind == "tone" else "GPL-3.0"
    return Listed(name, f"{kind} {variant}".strip(), _language(language), licence, here=True)


def _language(tag: str) -> str:
    """`en-US` -> English (America)."""
    from tts.engine import engine

    return engine().names.get(tag.lower(), tag).strip()


def listing() -> str:
    """A line for each voice: its name, language and licence, and whether it is here."""
    rows = [
        (each.name, each.language, each.licence,
         "on this disk" if each.here else f"can be fetched{f', {each.megabytes} MB' if each.megabytes else ''}")
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


def _xtts(speaker: Path | str, speed: float) -> Voice:
    from tts.xtts import Xtts
    from voicechat.parts import PartError, Store

    try:
        return Xtts(Store().folder(XTTS), speaker, speed)
    except PartError as error:
        raise VoiceError(str(error)) from None


def _is_here(part: str) -> bool:
    from voicechat.parts import PartError, Store

    try:
        Store().folder(part)
    except PartError:
        return False
    return True
