"""A voice with no model: every word is a short sine. Deterministic, for tests."""

import re
import zlib
from collections.abc import Iterator

import numpy as np

from tts.speakable import speakable
from tts.voice import SpeechChunk

_RATE = 16_000
_CHUNK = _RATE * 20 // 1000
_WORD_CHUNKS = 4  # 80 ms
_WORD = re.compile(r"\S*\w\S*")


class Tone:
    """Speaks 80 ms of sine a word, its pitch by the word, in chunks of 20 ms at 16 kHz."""

    name = "tone"
    rate = _RATE

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. A piece without words gives one chunk without samples."""
        words = list(_WORD.finditer(speakable(text)))
        if not words and text:
            yield SpeechChunk(np.zeros(0, np.float32), _RATE, text)
        told = 0
        time = np.arange(_CHUNK * _WORD_CHUNKS) / _RATE
        for index, word in enumerate(words):
            hertz = 200 + zlib.crc32(word.group().lower().encode()) % 16 * 25  # whole cycles in 80 ms: no clicks
            sine = (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
            until = words[index + 1].start() if index + 1 < len(words) else len(text)
            for part in range(_WORD_CHUNKS):
                last = part == _WORD_CHUNKS - 1
                samples = sine[part * _CHUNK : (part + 1) * _CHUNK]
                yield SpeechChunk(samples, _RATE, text[told:until] if last else "")
            told = until
