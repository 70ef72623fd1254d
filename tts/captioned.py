"""The sound of a text, with its words: pieces so short that a caption follows the voice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tts.voice import SpeechChunk
from tts.words import SENTENCE_MARKS

CHUNK_S = 0.04
CLAUSE_PAUSE_S, SENTENCE_PAUSE_S = 0.12, 0.25
QUIET = 0.002
MARGIN_S = 0.004  # of quiet that is kept around speech


def captioned(
    sound: Iterator[npt.NDArray[np.float32]], rate: int, units: Sequence[str], ends: Sequence[int], mark: str
) -> Iterator[SpeechChunk]:
    """Chunks of `sound` without the quiet around it, each with the units that end in it; then the pause of the `mark`.

    `ends`: the sample at which each unit ends, never falling. An empty piece of sound gives an empty chunk.
    """
    margin, told, at = round(MARGIN_S * rate), 0, 0
    held: npt.NDArray[np.float32] = np.zeros(0, np.float32)  # quiet that may be the end
    begun = False
    for samples in sound:
        loud = np.flatnonzero(np.abs(samples) > QUIET)
        if not len(loud):
            if begun:
                held = np.concatenate((held, samples))
            else:
                at += len(samples)
            yield SpeechChunk(samples[:0], rate, "")
            continue
        first = 0 if begun else max(0, int(loud[0]) - margin)
        last = min(len(samples), int(loud[-1]) + 1 + margin)
        at += first
        begun, ready, held = True, np.concatenate((held, samples[first:last])), samples[last:]
        for begin in range(0, len(ready), round(CHUNK_S * rate)):
            chunk = ready[begin : begin + round(CHUNK_S * rate)]
            at += len(chunk)
            until = max(told, bisect_right(ends, at))
            yield SpeechChunk(chunk, rate, "".join(units[told:until]))
            told = until
    if told < len(units):
        yield SpeechChunk(held[:0], rate, "".join(units[told:]))
    if begun and mark:
        pause = np.zeros(round(pause_s(mark) * rate), np.float32)
        for begin in range(0, len(pause), round(CHUNK_S * rate)):
            yield SpeechChunk(pause[begin : begin + round(CHUNK_S * rate)], rate, "")


def pause_s(mark: str) -> float:
    """Seconds of silence after a clause that ends with this mark."""
    return SENTENCE_PAUSE_S if mark in SENTENCE_MARKS + "\n" else CLAUSE_PAUSE_S
