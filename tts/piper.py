"""Piper's voices: natural, light, and made to run on a processor. https://github.com/rhasspy/piper

The phonemes are espeak-ng's, with which these voices were trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from operator import methodcaller
from pathlib import Path
from typing import Literal

import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException
from pydantic import BaseModel, ValidationError

from tts.captioned import captioned
from tts.clauses import Clause, Clauses, phonemes_of
from tts.loudness import MEASURED, gain, limited
from tts.vits import Vits
from tts.voice import SpeechChunk, VoiceError

LONG = 100  # symbols: a longer text is made clause by clause, because they all come before the first sound
LONGEST = 300  # that are made at once, whatever the text: the network's memory grows with their square
BEGIN, END, BETWEEN = "^", "$", "_"


class Audio(BaseModel):
    sample_rate: int


class Espeak(BaseModel):
    voice: str


class Inference(BaseModel):
    noise_scale: float = 0.667
    length_scale: float = 1.0
    noise_w: float = 0.8


class Description(BaseModel):
    """What the JSON file beside a voice's network says of it, as far as it is used."""

    audio: Audio
    espeak: Espeak
    inference: Inference = Inference()
    phoneme_type: Literal["espeak"] = "espeak"
    phoneme_id_map: dict[str, list[int]]


class Piper:
    """The voice in `folder`: one NAME.onnx with its NAME.onnx.json. Safe to use from many threads.

    `speed` against its usual one. Raises VoiceError: something is missing there, or is no voice of Piper's.
    """

    def __init__(self, folder: Path, speed: float = 1.0) -> None:
        try:
            (file,) = folder.glob("*.onnx")
            self._said = Description.model_validate_json(file.with_name(f"{file.name}.json").read_bytes())
            self._vits = network(file.resolve())
        except (OSError, ValueError) as error:  # ValidationError is one
            why = "its description cannot be used" if isinstance(error, ValidationError) else error
            raise VoiceError(
                f"no voice of Piper's can be loaded from {folder.name} ({why}): it needs one NAME.onnx and its "
                "NAME.onnx.json; `espeak` speaks without any file"
            ) from None
        self.name, self.rate = f"piper:{file.stem}", self._said.audio.sample_rate
        self.language = self._said.espeak.voice
        self._clauses = Clauses(
            self.language, phonemes_of(self.language, self.name), LONG, methodcaller("cut", LONGEST)
        )
        self._slower = self._said.inference.length_scale / speed
        self._gain = 1.0
        if self._vits.gain is None:
            said = (np.concatenate([chunk.samples for chunk in self.say(piece)]) for piece in MEASURED)
            self._vits.gain = gain(said, self.rate)
        self._gain = self._vits.gain

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. Some chunks are empty: a listener who has left need not wait for sound."""
        for clause in self._clauses.of(text):
            yield from self._sound(clause)

    def _sound(self, clause: Clause) -> Iterator[SpeechChunk]:
        pronunciation, nothing = clause.pronunciation, np.zeros(0, np.float32)
        if not any(map(str.isalpha, pronunciation.symbols)):
            yield SpeechChunk(nothing, self.rate, "".join(clause.written))
            return
        ids = [self._ids(symbol) for symbol in pronunciation.symbols]
        table, settings = self._said.phoneme_id_map, self._said.inference
        begin = table[BEGIN] + table[BETWEEN]
        try:
            for latent in self._vits.latent(
                [*begin, *(number for some in ids for number in some), *table[END]],
                settings.noise_scale, self._slower, settings.noise_w,
            ):  # fmt: skip
                yield SpeechChunk(nothing, self.rate, "")
                if latent is None:
                    continue
                reached = np.cumsum(latent.durations) * self._vits.frame
                numbers = [0, *accumulate(map(len, ids))]
                ends = [int(reached[len(begin) + numbers[end] - 1]) for end in pronunciation.ends]
                sound = (limited(samples * np.float32(self._gain)) for samples in self._vits.sound(latent))
                yield from captioned(sound, self.rate, clause.written, ends, clause.mark)
        except (Fail, RuntimeException) as error:
            raise VoiceError(f"{self.name} failed on this piece ({error}); its text is still shown") from error

    def _ids(self, symbol: str) -> list[int]:
        table = self._said.phoneme_id_map
        return [*table[symbol], *table[BETWEEN]] if symbol in table else []


@cache
def network(file: Path) -> Vits:
    """The network in a file, loaded once for all conversations (about a second, 190 MB)."""
    return Vits(file)
