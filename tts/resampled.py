"""A voice at another rate than its own."""

from collections.abc import Iterator

import numpy as np
import soxr

from tts.voice import SpeechChunk, Voice


class Resampled:
    """`voice`, with all its chunks at `rate` Hz."""

    def __init__(self, voice: Voice, rate: int) -> None:
        self.name, self.rate, self._voice = voice.name, rate, voice

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. The sound is one stream over all chunks: nothing is heard where two of them meet."""
        stream = soxr.ResampleStream(self._voice.rate, self.rate, 1, "float32")
        for chunk in self._voice.say(text):
            yield SpeechChunk(stream.resample_chunk(chunk.samples), self.rate, chunk.text)
        yield SpeechChunk(stream.resample_chunk(np.zeros(0, np.float32), last=True), self.rate, "")
