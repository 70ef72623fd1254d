"""The sound of a text, with its words: pieces so short that a caption follows the voice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tts.voice import SpeechChunk

CHUNK_S = 0.04
QUIET = 0.002
MARGIN_S = 0.004  # of quiet that is kept around speech


def captioned(
    sound: Iterator[npt.NDArray[np.float32]], rate: int, units: Sequence[str], ends: Sequence[int], pause_s: float
) -> Iterator[SpeechChunk]:
    """Chunks of `sound` without the quiet around it, each with the units that end in it; then the pause.

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
            until = max(told, min(bisect_right(ends, at), len(units) - 1))  # the last one ends with the pause
            yield SpeechChunk(chunk, rate, "".join(units[told:until]))
            told = until
    pause = np.zeros(round(pause_s * rate) if begun else 0, np.float32)
    yield SpeechChunk(pause, rate, "".join(units[told:]))
