"""A voice that leaves what is written in another language to espeak-ng, which speaks it, rather than mangle it."""

from collections.abc import Callable, Iterator

from tts.espeak import WORDS_A_MINUTE, Espeak
from tts.languages import SPOKEN, identifier, language_of
from tts.voice import SpeechChunk, Voice


class Following:
    """`voice`, which speaks `language` (a tag as in `en-us`), and espeak's for the others, all at `speed`.

    `others` gives the voice of espeak's for a language, at so many words a minute; one with another rate than
    `voice` is not used.
    """

    def __init__(
        self, voice: Voice, language: str, speed: float = 1.0, others: Callable[[str, int], Voice] = Espeak
    ) -> None:
        identifier()  # loaded now, not in the first answer
        self.name, self.rate = voice.name, voice.rate
        self._voice, self._speed, self._others = voice, speed, others
        self._own = language.partition("-")[0].replace("cmn", "zh")

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. The piece is spoken by one voice, from its beginning to its end."""
        language = language_of(text)
        if language in (None, self._own):
            return self._voice.say(text)
        other = self._others(SPOKEN[language], round(WORDS_A_MINUTE * self._speed))
        return other.say(text) if other.rate == self.rate else self._voice.say(text)
