"""One response on the wire: from `response.created` to the one `response.done`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from web.items import Item, answer_item
from web.outbox import Sound

Event = dict[str, Any]


class Response:
    """Hands events to `send`. Its sound is handed over by the writer, when it goes out."""

    def __init__(
        self, turn: int, item_id: str, aloud: bool, conversation_id: str | None, shown: Event, send: Callable[..., None]
    ) -> None:
        self.id = f"resp_{uuid4().hex[:21]}"
        self.turn, self.item_id, self.aloud, self.conversation_id = turn, item_id, aloud, conversation_id
        self.text = ""  # as far as it was sent
        self.open = True
        self._shown, self._send = shown, send

    @property
    def _place(self) -> Event:
        return {"response_id": self.id, "item_id": self.item_id, "output_index": 0, "content_index": 0}

    def begin(self, add: Callable[[Item], str | None]) -> None:
        """`add` puts the answer's item into the conversation and tells what stands before it."""
        self._send("response.created", response=self._json("in_progress", []))
        item = answer_item(self.item_id, [], "in_progress")
        self._send("response.output_item.added", response_id=self.id, output_index=0, item=item)
        if self.conversation_id is not None:
            self._send("conversation.item.added", previous_item_id=add(item), item=item)
        part = {"type": "audio", "transcript": ""} if self.aloud else {"type": "text", "text": ""}
        self._send("response.content_part.added", **self._place, part=part)

    def write(self, delta: str) -> None:
        """The next words, of an answer that is only read."""
        if not self.aloud:
            self.text += delta
            self._send("response.output_text.delta", **self._place, delta=delta)

    def deltas(self, sound: Sound) -> Iterator[tuple[str, Event]]:
        """The words that end in the sound, and the sound."""
        if sound.text:
            yield "response.output_audio_transcript.delta", {**self._place, "delta": sound.text}
        if sound.data:
            audio = base64.b64encode(sound.data).decode()
            yield "response.output_audio.delta", {**self._place, "delta": audio}

    def end(self, text: str, status: str, details: Event | None = None, usage: Event | None = None) -> None:
        """Everything that must close, once. `text` is what was sent of the answer."""
        if not self.open:
            return
        self.open, self.text = False, text
        if self.aloud:
            self._send("response.output_audio.done", **self._place)
            self._send("response.output_audio_transcript.done", **self._place, transcript=text)
            part = {"type": "audio", "transcript": text}
        else:
            self._send("response.output_text.done", **self._place, text=text)
            part = {"type": "text", "text": text}
        self._send("response.content_part.done", **self._place, part=part)
        item = answer_item(self.item_id, self.content, "completed" if status == "completed" else "incomplete")
        if self.conversation_id is not None:
            self._send("conversation.item.done", item=item)
        self._send("response.output_item.done", response_id=self.id, output_index=0, item=item)
        self._send("response.done", response=self._json(status, [item], details, usage))

    @property
    def content(self) -> list[Event]:
        if self.aloud:
            return [{"type": "output_audio", "transcript": self.text}]
        return [{"type": "output_text", "text": self.text}]

    def _json(self, status: str, output: list[Item], details: Event | None = None, usage: Event | None = None) -> Event:
        return {
            "id": self.id, "object": "realtime.response", "status": status, "status_details": details,
            "output": output, "conversation_id": self.conversation_id, "usage": usage,
            "output_modalities": ["audio"] if self.aloud else ["text"], **self._shown,
        }  # fmt: skip
