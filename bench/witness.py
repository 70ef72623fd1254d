"""What one connection is told, each event judged as it comes: what must hold whatever its client has done."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

CODES = {  # of errors that a client may be told of
    "conversation_already_has_active_response", "input_audio_buffer_commit_empty", "input_audio_buffer_full",
    "invalid_json", "invalid_value", "item_create_invalid_item_id", "item_delete_invalid_item_id",
    "item_reference_invalid_item_id", "item_retrieve_invalid_item_id", "item_truncate_invalid_item_id",
    "missing_required_parameter", "response_cancel_not_active", "string_above_max_length", "unknown_event",
    "unknown_parameter",
}  # fmt: skip
LONGEST = 500  # characters of an error's message
LARGEST = 2**20  # of a frame: more than that many clients refuse
IDS = re.compile(r'"((?:sess|conv|item|resp|event)_[0-9a-f]{16,})"')
MARKS = re.compile(r"\bm(\d+)x\b")


class Witness:
    """`serial` is the connection's number, `m<serial>x` its mark; `owners` knows whose every id is."""

    def __init__(self, serial: int, owners: dict[str, int], errors: Counter[str]) -> None:
        self.serial, self.mark = serial, f"m{serial}x"
        self.items: list[str] = []  # newest last
        self.responses: list[str] = []
        self.open: str | None = None  # the response that has not ended
        self.answered: set[str] = set()  # event ids that errors answered
        self.wrong: list[str] = []  # what should not have happened
        self.last: list[str] = []  # types of the newest events
        self.text = ""  # of the newest response
        self._ended: set[str] = set()
        self._owners, self._errors = owners, errors

    def hear(self, text: str) -> None:
        """One frame of the server's."""
        event = json.loads(text, parse_constant=lambda name: self._object(f"{name} is no JSON"))
        kind = event["type"]
        self.last = [*self.last[-7:], kind]
        if len(text) >= LARGEST:
            self._object(f"a frame of {len(text)} characters")
        if kind == "error":
            self._error(event["error"])
        else:
            self._is_ours(text if kind != "response.output_audio.delta" else json.dumps({**event, "delta": ""}))
        match kind:
            case "conversation.item.added":
                self.items.append(event["item"]["id"])
            case "response.created":
                self._begun(event["response"]["id"])
            case "response.output_text.delta" | "response.output_audio_transcript.delta":
                self.text += event["delta"]
            case "response.done":
                self._over(event["response"])

    def _begun(self, id: str) -> None:
        if self.open is not None:
            self._object(f"{id} begins while {self.open} is not over")
        if id in self.responses:
            self._object(f"{id} begins twice")
        self.open, self.text = id, ""
        self.responses.append(id)

    def _over(self, response: dict[str, Any]) -> None:
        if self.open != response["id"]:
            self._object(f"{response['id']} ends, but {self.open} is under way")
        if response["status"] == "failed":
            self._object(f"a response failed: {response['status_details']}")
        self.open = None

    def _error(self, error: dict[str, Any]) -> None:
        code, message = error["code"], error["message"]
        self._errors[code] += 1
        if "event_id" in error:
            self.answered.add(error["event_id"])
        if code not in CODES:
            self._object(f"an error of the code {code!r}: {message}")
        if len(message) > LONGEST or message.splitlines() != [message]:
            self._object(f"an error that is not one line of at most {LONGEST} characters: {message!r}")
        if not re.search(r": \S|:$", message[: LONGEST - 1] + ":" * (len(message) == LONGEST)):
            self._object(f"an error that does not say what to do: {message!r}")

    def _is_ours(self, text: str) -> None:
        for serial in MARKS.findall(text):
            if int(serial) != self.serial:
                self._object(f"told {self.mark} of m{serial}x: {text[:300]}")
        for id in IDS.findall(text):
            if (owner := self._owners.setdefault(id, self.serial)) != self.serial:
                self._object(f"told {self.mark} of {id}, which is m{owner}x's: {text[:300]}")

    def _object(self, what: str) -> None:
        self.wrong.append(f"{what} (before: {', '.join(self.last)})")
