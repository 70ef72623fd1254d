"""Doors: every path that is answered, who may use it, and what a request may bring. All others are shut."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"  # of a file; none begins with a dot, so none leads out of its folder


class Who(Enum):
    """Who may use a door of a server that has a token. Without a token, everybody may use them all."""

    ANYBODY = "anybody"
    VISITOR = "visitor"  # who shows the token; a browser that does not is given a form for it
    MEMBER = "member"  # who shows the token


@dataclass(frozen=True, slots=True)
class Door:
    """A path, as a regular expression over the whole of it, and the methods that are answered there."""

    path: re.Pattern[str]
    who: Who
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_file: bool = False  # the same for everybody, and harmless in the hands of other websites' pages
    body: int = 0  # bytes that a request may bring
    body_s: float = 0.0  # seconds that it may take to bring them


def _door(path: str, who: Who, *methods: str, is_file: bool = False, body: int = 0, body_s: float = 0.0) -> Door:
    return Door(re.compile(path), who, methods or ("GET", "HEAD"), is_file, body, body_s)


TOKEN_BYTES, TOKEN_S = 4096, 10.0
CLIP_BYTES, CLIP_S = 32 * 2**20, 60.0
SPEECH_BYTES, SPEECH_S = 64 * 2**10, 10.0

DOORS = (
    _door("/healthz", Who.ANYBODY),
    _door("/readyz", Who.ANYBODY),
    _door("/token", Who.ANYBODY, "GET", "POST", body=TOKEN_BYTES, body_s=TOKEN_S),
    _door("/", Who.VISITOR, is_file=True),
    _door("/kiosk", Who.VISITOR, is_file=True),
    _door(r"/favicon\.ico", Who.MEMBER, is_file=True),
    _door(f"/static/(js/)?{NAME}", Who.MEMBER, is_file=True),
    _door(r"/theme\.css", Who.MEMBER, is_file=True),  # Gradio's
    _door(f"/assets/{NAME}", Who.MEMBER, is_file=True),  # Gradio's scripts and styles
    _door("/metrics", Who.MEMBER),
    _door("/clips", Who.MEMBER, "POST", body=CLIP_BYTES, body_s=CLIP_S),
    _door("/v1/audio/speech", Who.MEMBER, "POST", body=SPEECH_BYTES, body_s=SPEECH_S),
)
SOCKETS = ("/v1/realtime", "/realtime")
"""The WebSockets. They ask for the token themselves, because a browser sees nothing of a refused handshake."""


def door_at(path: str) -> Door | None:
    """The door at a path of HTTP, decoded; None where there is none."""
    return next((door for door in DOORS if door.path.fullmatch(path)), None)
