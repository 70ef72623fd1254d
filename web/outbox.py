"""What waits to be sent on one connection: control events overtake sound, and sound keeps near real time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tts.words import CLOSERS, SENTENCE_MARKS, is_abbreviation

FIRST_S = (0.02, 0.04)  # of sound in an answer's first delta: it waits for the one, and stops at the other
LATER_S = 0.1  # in each that follows, at most
SENTENCE_S = 5.0  # what finishing a sentence may take
NEAR_S = 1e-6  # sums of seconds are not exact


class Lagging(Exception):
    """The client reads more slowly than events are made: close the connection."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound as the wire carries it, and the words that end in it. Words without sound have no `data`."""

    data: bytes
    seconds: float
    text: str

    def cut(self, seconds: float) -> tuple[Sound, Sound]:
        """Two parts, the first of about `seconds`; the words go with the second, for it holds their ends."""
        at = 2 * round(len(self.data) * seconds / self.seconds / 2)  # a sample is two bytes, or one
        at = min(max(at, 2), len(self.data))
        length_s = self.seconds * at / len(self.data)
        return Sound(self.data[:at], length_s, ""), Sound(self.data[at:], self.seconds - length_s, self.text)


class Outbox:
    """One queue with one reader. All of it runs on the event loop.

    `clock` tells seconds, as time.monotonic does. Sound is handed out until it is `ahead_s` ahead of real
    time, or at most a delta more. More than `limit` control events in waiting are Lagging.
    """

    def __init__(self, clock: Callable[[], float], ahead_s: float = 2.0, limit: int = 2000) -> None:
        self.sent_s = 0.0  # seconds of this answer's sound handed out
        self.sent_text = ""  # and the words that ended in it
        self._clock, self._ahead_s, self._limit = clock, ahead_s, limit
        self._control: deque[dict[str, Any]] = deque()
        self._answer: deque[Sound | Callable[[], None]] = deque()
        self._plays_until: float | None = None  # by the clock; None before the answer's first sound
        self._changed = asyncio.Event()

    # ---- what comes in ------------------------------------------------------------------------

    def control(self, event: dict[str, Any]) -> None:
        """An event that goes before all sound that waits, and after the control events before it."""
        self._control.append(event)
        self._changed.set()

    def begin(self) -> None:
        """A new answer, once the sound before it is taken: the pace starts anew with its first sound."""
        self.then(self._begin)

    def sound(self, data: bytes, seconds: float, text: str) -> None:
        """The next sound of the answer, whole samples, with the words that end in it."""
        self._answer.append(Sound(data, seconds if data else 0.0, text))
        self._changed.set()

    def then(self, act: Callable[[], None]) -> None:
        """Call `act` when all sound before it has been taken: at once when none waits."""
        self._answer.append(act)
        self._act()
        self._changed.set()  # a first sound too short to go alone waits no longer

    def purge(self) -> None:
        """Drop the sound that waits, and every `then` with it."""
        self._answer.clear()

    def finish_sentence(self) -> bool:
        """Drop the sound that waits behind the end of this sentence, or behind 5 s of it; keep every `then`.

        -> whether so much has come already.
        """
        kept: list[Sound | Callable[[], None]] = []
        room_s = 0.0 if _ends_sentence(self.sent_text) else SENTENCE_S
        for entry in self._answer:
            if not isinstance(entry, Sound):
                kept.append(entry)
            elif room_s > NEAR_S:
                if entry.seconds > room_s + NEAR_S:
                    entry, _ = entry.cut(room_s)
                kept.append(entry)
                room_s = 0.0 if _ends_sentence(entry.text) else room_s - entry.seconds
        self._answer = deque(kept)
        self._act()
        self._changed.set()
        return room_s <= NEAR_S

    # ---- what goes out ------------------------------------------------------------------------

    async def get(self) -> dict[str, Any] | Sound:
        """The next thing to send. Cancelling it loses nothing. Raises Lagging."""
        while (wait_s := self.wait_s()) != 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
        if self.lagging:
            raise Lagging
        return self._control.popleft() if self._control else self._take()

    def wait_s(self) -> float | None:
        """Seconds until the next thing may go if nothing else comes in: 0 now, None never."""
        if self._control:
            return 0.0
        if not self._answer or (self._plays_until is None and not self._enough_to_begin()):
            return None
        early_s = self.ahead - self._ahead_s
        return early_s if early_s > NEAR_S else 0.0

    @property
    def lagging(self) -> bool:
        return len(self._control) > self._limit

    @property
    def waiting(self) -> int:
        """How many control events wait: with a client that reads, none for long."""
        return len(self._control)

    @property
    def depth(self) -> int:
        """How many control events and pieces of sound wait."""
        return len(self._control) + len(self._answer)

    @property
    def ahead(self) -> float:
        """Seconds of this answer's sound handed out that a client playing it at once has yet to play."""
        return 0.0 if self._plays_until is None else max(0.0, self._plays_until - self._clock())

    # ---- inside -------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.sent_s, self.sent_text, self._plays_until = 0.0, "", None

    def _act(self) -> None:
        """Call what no sound precedes any more. An act may change this outbox."""
        while self._answer and not isinstance(self._answer[0], Sound):
            act = self._answer.popleft()
            assert not isinstance(act, Sound)
            act()

    def _enough_to_begin(self) -> bool:
        waiting_s = 0.0
        for entry in self._answer:
            if not isinstance(entry, Sound):
                return True  # no more comes
            waiting_s += entry.seconds
            if waiting_s + NEAR_S >= FIRST_S[0]:
                return True
        return False

    def _take(self) -> Sound:
        """Whole pieces, and a part of the one that crosses the length of a delta."""
        room_s = FIRST_S[1] if self._plays_until is None else LATER_S
        parts: list[Sound] = []
        while self._answer and isinstance(entry := self._answer[0], Sound):
            if entry.seconds > room_s + NEAR_S:
                if room_s > NEAR_S:
                    part, self._answer[0] = entry.cut(room_s)
                    parts.append(part)
                break
            self._answer.popleft()
            parts.append(entry)
            room_s -= entry.seconds
        taken = Sound(
            b"".join(part.data for part in parts), sum(part.seconds for part in parts), "".join(p.text for p in parts)
        )
        self.sent_s += taken.seconds
        self.sent_text += taken.text
        if taken.data:  # after a gap in the sound, real time goes on from now
            self._plays_until = max(self._plays_until or 0.0, self._clock()) + taken.seconds
        self._act()
        return taken


def _ends_sentence(text: str) -> bool:
    words = text.split()
    return bool(words) and words[-1].rstrip(CLOSERS).endswith(tuple(SENTENCE_MARKS)) and not is_abbreviation(words[-1])
