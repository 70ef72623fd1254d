"""What has been said, as a server that comes back has to be told again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voicechat.events import Asked, Event, Heard, Interrupted, TurnEnded, TurnStarted, Unasked, Withdrawn
from voicechat.terminal import wire

BEFORE_S = 1.0  # of sound before speech is found
LONGEST_S = 60.0  # of sound that waits for the server


@dataclass(slots=True)
class Item:
    role: str  # user, assistant
    content: list[dict[str, Any]] = field(default_factory=list)
    sound: np.ndarray | None = None  # of a spoken question whose words are not known yet, float32 [n] at 24 kHz


class History:
    """Messages in order, with the words that were heard; and the sound that nobody has made a message of."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._answers: dict[int, str] = {}  # ids by turn
        self._sound: list[np.ndarray] = []

    def wrote(self, id: str, content: list[dict[str, Any]]) -> None:
        """A message that was sent by hand."""
        self._items[id] = Item("user", content)

    def heard(self, samples: np.ndarray, speech: bool) -> None:
        """The microphone's next sound. It is kept while there is `speech`, or nobody to hear it."""
        self._sound.append(samples)
        room = round((LONGEST_S if speech else BEFORE_S) * wire.RATE)
        while len(self._sound) > 1 and sum(map(len, self._sound[1:])) >= room:
            del self._sound[0]

    def note(self, event: Event) -> None:
        match event:
            case Asked() if event.id not in self._items:
                self._items[event.id] = Item("user", sound=self._taken())
            case Unasked():
                item = self._items.pop(event.id, None)
                if item is not None and item.sound is not None:  # its speaker goes on
                    self._sound.insert(0, item.sound)
            case Heard() if event.id in self._items:
                item = self._items[event.id]
                if item.sound is not None:
                    item.content = [{"type": "input_text", "text": event.text}] if event.text else []
                    item.sound = None
            case TurnStarted():
                self._answers[event.turn] = event.answer
                self._items[event.answer] = Item("assistant")
            case TurnEnded() | Interrupted() if event.turn in self._answers:
                words = event.text.strip()
                item = self._items.setdefault(self._answers[event.turn], Item("assistant"))
                item.content = [{"type": "output_text", "text": words}] if words else []
            case Withdrawn():
                self._items.pop(self._answers.get(event.turn, ""), None)

    def replay(self) -> tuple[list[dict[str, Any]], bool, np.ndarray]:
        """-> the items to create; whether the last of them waits for an answer; the sound to be heard again."""
        known = {id: item for id, item in self._items.items() if item.content or item.sound is not None}
        last = list(known)[-1:]
        for id in last:
            if (asked := known[id].sound) is not None:  # nothing of its answer was heard: it is asked once more
                self._sound.insert(0, asked)
                del known[id], self._items[id]
        created = [
            {"id": id, "type": "message", "role": item.role, "content": item.content or [_clip(item.sound)]}
            for id, item in known.items()
        ]
        waits = bool(created) and created[-1]["role"] == "user" and created[-1]["id"] in last
        return created, waits, self._taken()

    def _taken(self) -> np.ndarray:
        taken, self._sound = self._sound, []
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)


def _clip(sound: np.ndarray | None) -> dict[str, Any]:
    assert sound is not None
    return {"type": "input_audio", "audio": wire.encoded(sound)}
