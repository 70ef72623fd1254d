"""What clients may send: OpenAI's own types for the Realtime protocol, and ours behind `extras`."""

from __future__ import annotations

import json
import math
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)
from pydantic import BaseModel, Field, TypeAdapter, ValidationError


class Refused(Exception):
    """The client asked for what cannot be; the message is one line that says what to do."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class PlayedEvent(BaseModel):
    """The client's playback clock: so much of an answer has come out of its loudspeaker."""

    type: Literal["voicechat.played"]
    item_id: str
    audio_ms: float = Field(ge=0, le=86_400_000)
    event_id: str | None = None


ClientEvent = Annotated[
    ConversationItemCreateEvent
    | ConversationItemDeleteEvent
    | ConversationItemRetrieveEvent
    | ConversationItemTruncateEvent
    | InputAudioBufferAppendEvent
    | InputAudioBufferClearEvent
    | InputAudioBufferCommitEvent
    | OutputAudioBufferClearEvent
    | ResponseCancelEvent
    | ResponseCreateEvent
    | SessionUpdateEvent
    | PlayedEvent,
    Field(discriminator="type"),
]
ADAPTER: TypeAdapter[ClientEvent] = TypeAdapter(ClientEvent)
TYPES = [
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "output_audio_buffer.clear", "conversation.item.create", "conversation.item.retrieve",
    "conversation.item.truncate", "conversation.item.delete", "response.create", "response.cancel",
]  # fmt: skip


def read(text: str) -> dict[str, Any]:
    """The JSON object of a frame. Raises Refused."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_json", f"this is not JSON ({_short(error)}): send one JSON object a frame") from None
    if not isinstance(event, dict):
        raise Refused("invalid_json", 'this is JSON, but no object: send {"type": ...}')
    return event


MAX_DEPTH = 50
MAX_CHARACTERS = 200_000  # of everything but sound: what is echoed fits into a frame, which clients take up to 1 MiB


def check_shape(event: dict[str, Any]) -> None:
    """Raises Refused for what is too deep, too long, or cannot be written down again."""
    length, level = 0, [(event, "")]
    for _ in range(MAX_DEPTH):
        inner: list[tuple[Any, str]] = []
        for value, key in level:
            if isinstance(value, dict):
                inner += [(v, k) for k, v in value.items()] + [(k, "") for k in value]
            elif isinstance(value, list):
                inner += [(v, "") for v in value]
            elif isinstance(value, str) and key != "audio":
                length += len(value)
                if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                    raise Refused("invalid_json", "a text holds half of a character (a lone surrogate): send UTF-8")
            elif isinstance(value, float) and not math.isfinite(value):
                raise Refused("invalid_json", "a number is NaN or infinite: JSON knows neither")
        if not inner:
            break
        level = inner
    else:
        raise Refused("invalid_json", f"this is nested more than {MAX_DEPTH} levels deep: make it flatter")
    if length > MAX_CHARACTERS:
        raise Refused(
            "string_above_max_length",
            f"{length} characters of text in one event: send at most {MAX_CHARACTERS}, in several events",
        )


def validate(event: dict[str, Any]) -> ClientEvent:
    """Raises Refused, naming the field."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in (*TYPES, "voicechat.played"):
        near = get_close_matches(str(kind), TYPES, 1)
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TYPES)}"
        raise Refused("unknown_event", f"no event has the type {str(kind)[:80]!r}: {meant}", "type")
    if kind == "session.update":
        _check_session(event.get("session"))
    try:
        return ADAPTER.validate_python(event)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in wrong["loc"][1:] if not _is_class(part)) or kind
        code = "missing_required_parameter" if wrong["type"] == "missing" else "invalid_value"
        raise Refused(code, f"{kind}: {where}: {wrong['msg']}", where) from None


BETA = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "input_audio_format": "audio.input.format",
    "output_audio_format": "audio.output.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "max_response_output_tokens": "max_output_tokens",
    "temperature": "nothing: it is gone",
}
SESSION = [
    "type", "model", "instructions", "output_modalities", "max_output_tokens", "audio", "tools", "tool_choice",
    "tracing", "truncation", "prompt", "include", "reasoning", "parallel_tool_calls", "id", "object", "expires_at",
]  # fmt: skip


def _check_session(session: Any) -> None:
    """A session of another shape would be taken for one without settings."""
    if not isinstance(session, dict):
        raise Refused("missing_required_parameter", "session.update: give a session object", "session")
    for name in session:
        if name in BETA:
            raise Refused(
                "unknown_parameter",
                f"session.{name} is of the beta protocol, which has ended: its place is now {BETA[name]}",
                f"session.{name}",
            )
        if name not in SESSION:
            near = get_close_matches(name, SESSION, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SESSION)}"
            raise Refused("unknown_parameter", f"no session has {name[:80]!r}: {hint}", f"session.{name}")
    if session.get("type") == "transcription":
        raise Refused("invalid_value", "transcription alone is not offered: use type 'realtime'", "session.type")
    if session.get("type") != "realtime":
        raise Refused("missing_required_parameter", "session.type is missing: give 'realtime'", "session.type")


def _is_class(part: object) -> bool:
    """Pydantic names the members of a union in the path to a field."""
    return isinstance(part, str) and (part[:1].isupper() or "." in part or "[" in part)


def _short(error: Exception) -> str:
    return str(error)[:100]
