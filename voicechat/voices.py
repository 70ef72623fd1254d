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
        fetched = () if self.here else (f"to be fetched, {self.megabytes} MB",)
        return " · ".join((self.called, self.language, self.licence.partition(",")[0], *fetched))


def load_for_operator(name: str) -> Voice:
    """The voice that whoever runs the program names: as `load`, or `piper:FOLDER` with a slash. Raises VoiceError."""
    kind, _, folder = name.partition(":")
    if kind == "piper" and "/" in folder:
        return _piper(Path(folder).expanduser(), 1.0)
    return load(name)


def load(name: str = CHOSEN, speed: float = 1.0) -> Voice:
    """The voice of that name, `speed` against its usual one; the nearest it can, where it cannot.

    Names: `auto` (the natural one if it is on the disk), `piper:joe`, another of Piper's as in
    `piper:en_GB-alba-medium`, and those that `tts.voice.load_voice` takes. Nothing is fetched. Raises VoiceError.
    """
    name = full(name)
    speed = min(FASTEST, max(SLOWEST, speed))
    if not name.startswith("piper:"):
        return load_voice(name, speed)
    from voicechat.parts import PartError, Store  # here, not above: a terminal of another server needs none of it

    try:
        return _piper(Store().folder(name), speed)
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
    from voicechat.parts import parts

    for part in parts().values():
        if part.kind == "voice":
            called, language = part.name.split("-")[1].title(), _language(part.language)
            yield Listed(part.name, called, language, part.licence, _is_here(part.name), round(part.size / 1e6))
    yield from map(_built_in, voices())


def label(name: str) -> str:
    """In a menu, of a voice that is not listed: a variant of espeak's, as in `espeak:en-us+f3`, or a folder."""
    return _built_in(name).label if name.startswith("espeak:") else name


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


def _is_here(part: str) -> bool:
    from voicechat.parts import PartError, Store

    try:
        Store().folder(part)
    except PartError:
        return False
    return True
