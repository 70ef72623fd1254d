"""The Voice protocol, what a voice hands over, and the voices by name."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


class VoiceError(Exception):
    """A voice cannot be had or cannot speak; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeechChunk:
    """A stretch of speech: `samples` float32 mono in [-1, 1], shape (n,), at `rate` Hz.

    `text` is the part of the piece whose words end inside this chunk, with the spaces and marks around them:
    over the chunks of one piece the texts add up to exactly that piece.
    """

    samples: npt.NDArray[np.float32]
    rate: int
    text: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class Voice(Protocol):
    """Something that speaks. Blocking: run it on a worker thread, a chunk at a time."""

    @property
    def name(self) -> str: ...

    @property
    def rate(self) -> int:
        """Of every chunk, in Hz."""
        ...

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """Speak one piece: each chunk as soon as it exists. To stop, ask for no more.

        A chunk may be empty: the work has got on by a step, and between two steps it can be stopped.
        The iterator raises VoiceError where the piece cannot be spoken.
        """
        ...


def voices() -> list[str]:
    """The names that `load_voice` takes. Loads the espeak engine to ask for its voices."""
    from tts.espeak import espeak_voices

    return ["tone", "espeak", *(f"espeak:{name}" for name in espeak_voices())]


def load_voice(name: str = "espeak", speed: float = 1.0) -> Voice:
    """The voice of that name: `tone`, `espeak`, or `espeak:VOICE`, VOICE as in `en-gb` or `en-gb+f2`.

    `speed` against the voice's usual one, 0.5 to 2; the nearest it can, where it cannot.

    Raises VoiceError when there is no such voice, or its engine cannot be loaded.
    """
    kind, colon, variety = name.partition(":")
    if name == "tone":
        from tts.tone import Tone

        return Tone()
    if kind == "espeak" and (variety or not colon):
        from tts.espeak import WORDS_A_MINUTE, Espeak

        return Espeak(variety or "en-us", round(WORDS_A_MINUTE * min(2.0, max(0.5, speed))))
    raise unknown_voice(name, ["tone", "espeak", "espeak:en-us", "espeak:en-gb"])


def unknown_voice(name: str, known: list[str]) -> VoiceError:
    """The error for a name that is not among the known ones, with the nearest of those."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    listing = "python run_local.py --list-voices"
    return VoiceError(f"no voice is called {name!r}; near it: {', '.join(near)}; list all with: {listing}")
