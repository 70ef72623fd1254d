"""Conversation items, as the wire shows them and as the model reads them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from streaming.audio import RATE, AudioError, Resampler
from voicechat.conversation import INSTRUCTIONS, Clip, Message, is_blank, new_id
from web.schema import Refused
from web.sound import Decoder, Format

Item = dict[str, Any]
MAX_ID = 200  # characters
MAX_ITEMS = 5000  # of one conversation, that its client has made
MAX_TEXT = 2_000_000  # characters in all of these
MAX_SOUND_S = 1200.0  # in the clips that a conversation holds, when another one comes


class Items:
    """In their order on the wire. What is not a message (a tool's call, its output) is kept, and not read."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._given: dict[str, int] = {}  # by id: the characters of what the client has made
        self._characters = 0  # in all of that

    def __contains__(self, id: str) -> bool:
        return any(item["id"] == id for item in self._items)

    def find(self, id: str, event: str) -> Item:
        """Raises Refused with the code that clients know for this event."""
        for item in self._items:
            if item["id"] == id:
                return item
        raise Refused(
            f"item_{event}_invalid_item_id",
            f"there is no item {id[:80]!r} in this conversation: use the id of conversation.item.added",
            "item_id",
        )

    def insert(self, item: Item, after: str | None) -> str | None:
        """Behind the item `after`, at the end, or first ("root"). -> the item before it. Raises Refused."""
        if item["id"] in self or item["id"] == INSTRUCTIONS:
            raise Refused(
                "invalid_value", f"the id {item['id']!r} is taken: choose another, or leave it out", "item.id"
            )
        if after == "root":
            at = 0
        elif after is None:
            at = len(self._items)
        else:
            at = self._items.index(self.find(after, "create")) + 1
        self._items.insert(at, dict(item))  # the one that is sent does not change any more
        return str(self._items[at - 1]["id"]) if at else None

    def give(self, item: Item, after: str | None) -> str | None:
        """Insert what the client has made. Raises Refused, too where the conversation holds too much already."""
        characters = len(json.dumps(item, ensure_ascii=False))
        told = ""
        if len(self._given) >= MAX_ITEMS:
            told = f"you have put {MAX_ITEMS} items into this conversation"
        elif self._characters + characters > MAX_TEXT:
            told = f"the items of this conversation would hold more than {MAX_TEXT} characters"
        if told:
            raise Refused("conversation_full", f"{told}: delete some that are not needed, or start a new one", "item")
        before = self.insert(item, after)
        self._given[item["id"]] = characters
        self._characters += characters
        return before

    def remove(self, id: str) -> None:
        self._characters -= self._given.pop(id, 0)
        self._items = [item for item in self._items if item["id"] != id]

    def message_before(self, id: str) -> str | None:
        """The id of the last message in front of an item; None where there is none."""
        ids = [item["id"] for item in self._items]
        before = [item["id"] for item in self._items[: ids.index(id)] if item["type"] == "message"]
        return before[-1] if before else None


def spoken_item(id: str) -> Item:
    """What came by microphone; its transcript comes later."""
    return _message(id, "user", [{"type": "input_audio", "transcript": None}])


def answer_item(id: str, content: list[dict[str, Any]], status: str) -> Item:
    return {**_message(id, "assistant", content), "status": status}


def given_item(given: dict[str, Any], format: Format) -> tuple[Item, Message | None]:
    """What `conversation.item.create` gives: the item without its sound, and the message. Raises Refused."""
    item = {"object": "realtime.item", "status": "completed", **{k: v for k, v in given.items() if v is not None}}
    item["id"] = item.get("id") or new_id()
    if len(item["id"]) > MAX_ID:
        raise Refused("invalid_value", f"this id is too long: at most {MAX_ID} characters, or leave it out", "item.id")
    if item["type"] != "message":
        return item, None
    message = _as_message(item["role"], item["id"], item["content"], format)
    item["content"] = [
        {k: v for k, v in part.items() if v is not None and k not in ("audio", "image_url", "detail")}
        | ({"transcript": part.get("transcript")} if part.get("type") == "input_audio" else {})
        for part in item["content"]
    ]
    return item, message


def _as_message(role: str, id: str, content: list[dict[str, Any]], format: Format) -> Message:
    texts, clips = [], []
    for part in content:
        match part.get("type"):
            case "input_image":
                raise Refused("invalid_value", "images cannot be seen: send text or sound", "item.content")
            case "input_audio":
                if part.get("audio"):
                    clips.append(clip(part["audio"], format))
                else:  # replayed without its sound: the words stand for it
                    texts.append(part.get("transcript") or "")
            case "output_audio":
                texts.append(part.get("transcript") or "")
            case _:
                texts.append(part.get("text") or "")
    text = " ".join(text for text in texts if text)
    if role == "user" and is_blank(text) and not clips:
        raise Refused("invalid_value", "this message is empty or blank: give it text or audio", "item.content")
    return Message("user" if role == "user" else "system" if role == "system" else "assistant", text, tuple(clips), id)


def clip(audio: str, format: Format) -> Clip:
    """A clip that was sent whole. Raises Refused."""
    try:
        chunk = Decoder(format).push(audio)
    except AudioError as error:
        raise Refused("invalid_value", str(error), "item.content.audio") from None
    resampler = Resampler(chunk.rate)
    samples = np.concatenate([resampler.push(chunk.samples), resampler.flush()])
    if len(samples) < RATE // 10:
        raise Refused("invalid_value", "this clip is too short: give at least 0.1 s of sound", "item.content.audio")
    return Clip(samples)


def _message(id: str, role: str, content: list[dict[str, Any]]) -> Item:
    return {
        "id": id, "object": "realtime.item", "type": "message", "status": "completed", "role": role,
        "content": content,
    }  # fmt: skip
