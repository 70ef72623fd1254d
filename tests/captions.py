"""What a voice says, with when each stretch of its text has been said."""

import numpy as np


def spoken(voice, text):
    """The sound, and at which second each stretch of text has been said."""
    chunks, told, at = list(voice.say(text)), [], 0.0
    for chunk in chunks:
        at += chunk.seconds
        if chunk.text:
            told.append((chunk.text, at))
    assert "".join(text for text, _ in told) == text
    return np.concatenate([chunk.samples for chunk in chunks] or [np.zeros(0, np.float32)]), told
