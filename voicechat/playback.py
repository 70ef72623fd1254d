"""How much of an answer has been heard: the sound that was sent, against the time that has passed."""

from __future__ import annotations

from math import inf

from voicechat.events import Spoken


class Playback:
    """The answer of one turn, as it plays at the listener's.

    The client's own report counts. Without one the answer is taken to play from the moment of its
    first sound, without a gap; time is seconds of audio received, so a recording replays the same.
    """

    def __init__(self, turn: int = 0, id: str = "") -> None:
        self.turn = turn
        self.id = id  # of the answer's message
        self.sent_s = 0.0
        self.complete = False  # everything has been sent
        self.withdrawn = False  # nothing of it counts
        self._cut_s = inf  # no more of it counts
        self._began_s: float | None = None
        self._held_s: float | None = None  # when it was made to stand still
        self._reported_s: float | None = None
        self._reported_at = 0.0
        self._words: list[tuple[float, str]] = []  # (when they are over, words)

    def send(self, sound: Spoken, now_s: float) -> None:
        if self._began_s is None:
            self._began_s = now_s
        self.sent_s += len(sound.samples) / sound.rate
        self._words.append((self.sent_s, sound.text))

    def report(self, seconds: float, now_s: float = 0.0) -> None:
        """The client says that it has played so much of the answer."""
        self._reported_s, self._reported_at = max(0.0, seconds), now_s

    def hold(self, now_s: float) -> None:
        """It stands still."""
        if self._held_s is None:
            self._held_s = now_s

    def go_on(self, now_s: float) -> None:
        """It goes on where it stood."""
        if self._held_s is not None and self._began_s is not None:
            self._began_s += max(0.0, now_s - self._held_s)
        self._held_s, self._reported_at = None, now_s

    def cut(self, seconds: float) -> float:
        """No more of it was heard, whatever is reported later -> where it is cut: what was cut stays cut."""
        self._cut_s = min(self._cut_s, max(0.0, seconds))
        return self._cut_s

    def position_s(self, now_s: float) -> float:
        """Where in it the client is taken to be at this moment, between two reports too."""
        if self._reported_s is None or self._held_s is not None:
            return self.heard_s(now_s)
        return min(self._reported_s + max(0.0, now_s - self._reported_at), self.sent_s)

    def heard_s(self, now_s: float) -> float:
        """Seconds of it that have been heard."""
        if self._reported_s is not None:
            return min(self._reported_s, self.sent_s, self._cut_s)
        now_s = now_s if self._held_s is None else self._held_s
        return 0.0 if self._began_s is None else min(max(0.0, now_s - self._began_s), self.sent_s, self._cut_s)

    def text_until(self, seconds: float) -> str:
        """The words that are over after so many seconds of the answer, and before where it is cut."""
        return "".join(words for end, words in self._words if end <= min(seconds, self._cut_s) + 1e-6)

    @property
    def sent_text(self) -> str:
        return self.text_until(self.sent_s)

    def over(self, now_s: float) -> bool:
        return self.complete and self.heard_s(now_s) >= self.sent_s - 1e-6
