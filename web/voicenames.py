"""The voices, as clients of OpenAI's protocols name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The names that OpenAI's clients send without being asked, as voices that differ as clearly as ours can.
VOICES = {
    "alloy": "auto", "ash": "espeak:en-us+m3", "ballad": "espeak:en-gb+m2", "cedar": "espeak:en-gb+m7",
    "coral": "espeak:en-us+f2", "echo": "espeak:en-us+m7", "fable": "espeak:en-gb-scotland",
    "marin": "espeak:en-us+f3", "nova": "espeak:en-gb+f4", "onyx": "espeak:en-us+m1", "sage": "espeak:en-gb+f3",
    "shimmer": "espeak:en-us+f4", "verse": "espeak:en-gb",
}  # fmt: skip


def voice_named(wanted: str | Mapping[str, Any]) -> str:
    """Our name for a voice that is wanted by any name, or as `{"id": name}`."""
    name = wanted if isinstance(wanted, str) else str(wanted.get("id", ""))
    return VOICES.get(name, name)
