"""Kokoro's voices: the most natural ones here, and slow: a second of speech takes most of a second of one core.
https://huggingface.co/hexgrad/Kokoro-82M

One network speaks in many styles. It makes a clause as a whole: what its decoder does anywhere hangs, by its norms, on
all of the clause, so that no part of it can sound before the rest. Therefore clauses are short.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate, compress
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, RuntimeException
from pydantic import BaseModel, ValidationError

from tts.captioned import captioned
from tts.clauses import Clause, Clauses, phonemes_of
from tts.kokoro_symbols import noted
from tts.loudness import MEASURED, gain, limited
from tts.pronunciation import Pronunciation
from tts.steps import Steps
from tts.voice import SpeechChunk, VoiceError

Floats = npt.NDArray[np.float32]
RATE = 24_000
LONG = 60  # symbols that are made at once, some 4 s of speech
WORD = 8  # symbols by which a run may be longer than its share, so that the last one is no shorter than the others
EACH = 2  # convolutions in a step: no longer than 0.2 s of a slow core
NETWORK, SYMBOLS = "kokoro.onnx", "vocab.json"
INPUTS = {"tokens", "style", "speed"}
NOTHING = np.zeros(0, np.float32)
LONGEST, WIDTH = 510, 256  # of a style: a vector for each number of symbols


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """How a voice sounds. `vectors`: float32 [510, 256], that for n symbols at n - 1."""

    name: str
    vectors: Floats

    @property
    def language(self) -> str:
        """In which it speaks, a tag as in `en-us`: English, whatever language it was made for."""
        return "en-gb" if self.name.startswith("b") else "en-us"


@dataclass(frozen=True, slots=True)
class Made:
    """A clause: `samples` at RATE; `durations` of its symbols, and of the silence before and after, in samples."""

    samples: Floats
    durations: npt.NDArray[np.int64]


class Network:
    """Kokoro's network, safe to use from many threads; each run takes one core.

    Raises OSError or ValueError: the file cannot be read, or holds something else.
    """

    def __init__(self, file: Path) -> None:
        try:
            model = onnx.load(file)
            if {given.name for given in model.graph.input} != INPUTS:
                raise LookupError("other inputs")
            self._steps = Steps(model, (model.graph.output[0].name, _durations(model.graph)), EACH)
        except (DecodeError, LookupError, StopIteration, Fail, InvalidGraph, RuntimeException) as error:
            raise ValueError(f"{file.name} is not the network of Kokoro") from error
        self.gains: dict[Style, float] = {}
        """What makes a style as loud as other voices, as soon as somebody has measured it."""

    def run(self, symbols: Sequence[int], style: Style, speed: float) -> Iterator[Made | None]:
        """None after each step but the last, and then what has been made."""
        given: dict[str, Any] = {
            "tokens": np.array([[0, *symbols, 0]], np.int64),
            "style": style.vectors[min(len(symbols), LONGEST) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        for made in self._steps.run(given):
            if made:
                samples, frames = made[0].ravel(), made[1].ravel().astype(np.int64)
                yield Made(samples, frames * (len(samples) // max(1, int(frames.sum()))))
            else:
                yield None


class Symbols(BaseModel):
    """The JSON file beside the network."""

    vocab: dict[str, int]


class Kokoro:
    """The voice of that style, with the network and its symbols in `folder`. Safe to use from many threads.

    `speed` against its usual one. Raises VoiceError: something is missing there, or is not Kokoro's.
    """

    def __init__(self, folder: Path, style: Style, speed: float = 1.0) -> None:
        try:
            self._symbols = Symbols.model_validate_json((folder / SYMBOLS).read_bytes()).vocab
            self._network = network((folder / NETWORK).resolve())
        except (OSError, ValueError) as error:  # pydantic's ValidationError is one
            why = f"{SYMBOLS} cannot be used" if isinstance(error, ValidationError) else error
            raise VoiceError(
                f"Kokoro cannot be loaded from {folder.name} ({why}): it needs {NETWORK} and {SYMBOLS}; fetch them "
                "again: python -m voicechat.parts fetch kokoro; `espeak` speaks without any file"
            ) from None
        self.name, self.rate, self.language = f"kokoro:{style.name}", RATE, style.language
        known = phonemes_of(self.language, self.name)
        self._clauses = Clauses(self.language, lambda text: noted(known(text), self.language), LONG, evenly)
        self._style, self._speed, self._gain = style, speed, 1.0
        gains = self._network.gains
        if style not in gains:
            # one is enough: they differ by less than 1 LU, and each takes seconds
            said = (np.concatenate([chunk.samples for chunk in self.say(piece)]) for piece in MEASURED[-1:])
            gains[style] = gain(said, self.rate)
        self._gain = gains[style]

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. Most chunks are empty: a clause takes many steps, and sounds after the last."""
        for clause in self._clauses.of(text):
            yield from self._sound(clause)

    def _sound(self, clause: Clause) -> Iterator[SpeechChunk]:
        known = [symbol in self._symbols for symbol in clause.pronunciation.symbols]
        numbers = [0, *accumulate(map(int, known))]
        ids = [self._symbols[symbol] for symbol in compress(clause.pronunciation.symbols, known)]
        if not any(map(str.isalpha, compress(clause.pronunciation.symbols, known))):
            yield SpeechChunk(NOTHING, self.rate, "".join(clause.written))
            return
        try:
            for made in self._network.run(ids, self._style, self._speed):
                if made is None:
                    yield SpeechChunk(NOTHING, self.rate, "")
                    continue
                reached = np.cumsum(made.durations)
                ends = [int(reached[numbers[end]]) for end in clause.pronunciation.ends]
                sound = limited(made.samples * np.float32(self._gain))
                yield from captioned(iter([sound]), self.rate, clause.written, ends, clause.mark)
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise VoiceError(f"{self.name} failed on this piece ({error}); its text is still shown") from error


def evenly(pronunciation: Pronunciation) -> Iterator[Pronunciation]:
    """The same in pieces of at most `LONG` symbols, none of them much shorter than the others."""
    symbols = len(pronunciation.symbols)
    share = ceil(symbols / max(1, ceil(symbols / LONG)))
    return pronunciation.cut(min(LONG, share + WORD))


@cache
def network(file: Path) -> Network:
    """The network in a file, loaded once for all conversations (about a second, 250 MB; twice that when it has run)."""
    return Network(file)


@cache
def style(folder: Path, name: str) -> Style:
    """The style of that name in a folder: in one of its .npz files, or the whole of NAME.bin. Raises VoiceError."""
    try:
        found = _styles(folder)
        vectors = found[name]()
        if vectors.size != LONGEST * WIDTH or vectors.dtype != np.float32:
            raise ValueError(f"it holds {vectors.size} values, not {LONGEST} times {WIDTH}")
    except KeyError:
        there = ", ".join(sorted(found)) or "none"
        raise VoiceError(f"Kokoro has no style {name!r} in {folder.name}; there are: {there}") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise VoiceError(
            f"the style {name} of Kokoro cannot be read ({error}); fetch it again: "
            f"python -m voicechat.parts fetch kokoro:{name}; `espeak` speaks without any file"
        ) from None
    return Style(name, vectors.reshape(LONGEST, WIDTH))


def _styles(folder: Path) -> dict[str, Callable[[], npt.NDArray[Any]]]:
    """What reads each of the styles that there are."""
    found: dict[str, Callable[[], npt.NDArray[Any]]] = {
        file.stem: partial(np.fromfile, file, "<f4") for file in folder.glob("*.bin")
    }
    for file in folder.glob("*.npz"):
        many = np.load(file)
        found |= {name: partial(many.__getitem__, name) for name in many.files}
    return found


def _durations(graph: Any) -> str:
    """The name of the tensor with the frames of each symbol: rounded, and one at least."""
    makers = {name: node for node in graph.node for name in node.output}
    clips = (node for node in graph.node if node.op_type == "Clip")
    return str(next(n for n in clips if n.input[0] in makers and makers[n.input[0]].op_type == "Round").output[0])
