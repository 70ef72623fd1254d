"""What a rude client may send: every kind of event, right, wrong and cut short, by a name that says which.

`@M` stands for the connection's mark, `@I` for its newest item, `@J` for an older one, `@R` for its newest response and
`@F` for an item of somebody else's.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from bench.caller import WIRE_RATE

QUESTION = Path(__file__).parent.parent / "docs" / "question.wav"
PIECE = 2 * WIRE_RATE // 25  # bytes of 40 ms


def event(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields})


def session(**fields: Any) -> str:
    return event("session.update", session={"type": "realtime", **fields})


def listening(**fields: Any) -> str:
    return session(audio={"input": fields})


def speaking(**fields: Any) -> str:
    return session(audio={"output": fields})


def item(role: str, *content: dict[str, Any], **fields: Any) -> str:
    given = {"type": "message", "role": role, "content": list(content)} | fields.pop("with_", {})
    return event("conversation.item.create", item=given, **fields)


def written(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def sound(data: bytes) -> str:
    return event("input_audio_buffer.append", audio=base64.b64encode(data).decode())


@cache
def speech() -> list[str]:
    """A recorded question, 40 ms a message."""
    samples, rate = soundfile.read(QUESTION, dtype="float32", always_2d=True)
    data = (np.clip(soxr.resample(samples[:, 0], rate, WIRE_RATE), -1, 1) * 32_767).astype("<i2").tobytes()
    return [sound(data[at : at + PIECE]) for at in range(0, len(data), PIECE)]


def ask(text: str) -> list[str]:
    """A typed question, and the wish for an answer to it."""
    return [item("user", written(text)), event("response.create")]


CLIP = base64.b64encode(bytes(2 * WIRE_RATE // 5)).decode()
CALL = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
TOOL = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object", "properties": {}}}

GOOD = {
    "write": item("user", written("@M hi")),
    "write much": item("user", written("@M One two three. " * 30)),
    "write as @M-a": item("user", written("@M a"), with_={"id": "@M-a"}),
    "write first": item("user", written("@M first"), previous_item_id="root"),
    "write after another": item("user", written("@M next"), previous_item_id="@I"),
    "an assistant's words": item("assistant", {"type": "output_text", "text": "@M so it is."}),
    "a system's words": item("system", written("@M be brief.")),
    "a clip": item("user", {"type": "input_audio", "audio": CLIP}),
    "a clip and words": item("user", written("@M what is it"), {"type": "input_audio", "audio": CLIP}),
    "a call": event("conversation.item.create", item=CALL),
    "a call's result": event(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "c", "output": "@M"}),
    "respond": event("response.create"),
    "respond to read": event("response.create", response={"output_modalities": ["text"]}),
    "respond apart": event("response.create", response={"conversation": "none", "metadata": {"m": "@M"}}),
    "respond in a word": event("response.create", response={"max_output_tokens": 1}),
    "respond to this": event("response.create", response={"input": [json.loads(item("user", written("@M x")))["item"]],
                                                          "instructions": "@M be kind"}),
    "respond to a reference": event(
        "response.create", response={"input": [{"type": "item_reference", "id": "@I"}]}),
    "cancel": event("response.cancel"),
    "cancel that": event("response.cancel", response_id="@R"),
    "commit": event("input_audio_buffer.commit"),
    "clear": event("input_audio_buffer.clear"),
    "clear the output": event("output_audio_buffer.clear"),
    "retrieve": event("conversation.item.retrieve", item_id="@I"),
    "retrieve an older": event("conversation.item.retrieve", item_id="@J", event_id="@M-e"),
    "delete": event("conversation.item.delete", item_id="@I"),
    "delete an older": event("conversation.item.delete", item_id="@J"),
    **{f"truncate at {ms}": event("conversation.item.truncate", item_id="@I", content_index=0, audio_end_ms=ms)
       for ms in (0, 300, 10**9)},
    "truncate an older": event("conversation.item.truncate", item_id="@J", content_index=0, audio_end_ms=100),
    **{f"played {ms}": event("voicechat.played", item_id="@I", audio_ms=ms) for ms in (0, 50, 5000)},
    "played of an older": event("voicechat.played", item_id="@J", audio_ms=10),
    "silence": sound(bytes(PIECE)),
    "an odd byte": sound(b"\x01" * 961),
    "noise": sound(np.random.default_rng(0).integers(0, 256, PIECE, np.uint8).tobytes()),
    "loudness": sound(b"\xff\x7f\x00\x80" * (PIECE // 4)),
    "no sound": sound(b""),
    "to read": session(output_modalities=["text"]),
    "aloud": session(output_modalities=["audio"]),
    "instructions": session(instructions="@M be kind."),
    "nothing changed": session(),
    "no detection": listening(turn_detection=None),
    "server_vad": listening(turn_detection={"type": "server_vad", "silence_duration_ms": 200}),
    "server_vad alone": listening(turn_detection={"type": "server_vad", "create_response": False,
                                                  "interrupt_response": False, "idle_timeout_ms": 5000}),
    "semantic_vad": listening(turn_detection={"type": "semantic_vad", "eagerness": "high"}),
    "transcribed": listening(transcription={"model": "whisper-1"}),
    "not transcribed": listening(transcription=None),
    "noise reduction": listening(noise_reduction={"type": "near_field"}),
    **{f"{way} {kind}": told(format={"type": f"audio/{kind}"} | ({"rate": WIRE_RATE} if kind == "pcm" else {}))
       for way, told in (("hear", listening), ("speak", speaking)) for kind in ("pcm", "pcmu", "pcma")},
    "speed": speaking(speed=1.5),
    "voice": speaking(voice="tone"),
    "tools": session(tools=[TOOL], tool_choice="auto"),
    "no tools": session(tools=[]),
    "a limit": session(max_output_tokens=3),
    "no limit": session(max_output_tokens="inf"),
    "truncation": session(truncation="auto"),
}  # fmt: skip

WRONG = {
    "nothing": "",
    "a list": "[]",
    "a string": '"session.update"',
    "null": "null",
    "a number without end": "9" * 5_000,
    "deep": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "deep within": event("session.update", session={"type": "realtime", "tools": [
        {"type": "function", "name": "x", "parameters": json.loads('{"a":' * 60 + "1" + "}" * 60)}]}),
    "deep lists": "[" * 10_000,
    "no type": "{}",
    "a type that is a number": '{"type": 5}',
    "a type that is a list": '{"type": [[]]}',
    "an unknown type": event("@M"),
    "a misspelt type": event("response.creat"),
    "a server's type": event("response.done", response={}),
    "half a character": item("user", written("@M \ud800")),
    "a null character": item("user", written("@M \0 hi")),
    "lines": event("conversation.item.retrieve", item_id="a\nb\r\nc\u2028d"),
    "an event_id that is a list": event("response.cancel", event_id=[1]),
    "a long type": event("x" * 5_000),
    "a long id": event("conversation.item.retrieve", item_id="x" * 5_000),
    "a long id of an item": item("user", written("@M hi"), with_={"id": "x" * 5_000}),
    "a NaN": '{"type":"voicechat.played","item_id":"@I","audio_ms":NaN}',
    "infinity": '{"type":"voicechat.played","item_id":"@I","audio_ms":1e999}',
    "played before the beginning": event("voicechat.played", item_id="@I", audio_ms=-1),
    "played without end": event("voicechat.played", item_id="@I", audio_ms=10**400),
    "truncate without end": event(
        "conversation.item.truncate", item_id="@I", content_index=0, audio_end_ms=10**400),
    "truncate before the beginning": event(
        "conversation.item.truncate", item_id="@I", content_index=0, audio_end_ms=-5),
    "truncate another part": event("conversation.item.truncate", item_id="@I", content_index=7, audio_end_ms=5),
    "retrieve somebody else's": event("conversation.item.retrieve", item_id="@F"),
    "delete somebody else's": event("conversation.item.delete", item_id="@F"),
    "write after somebody else's": item("user", written("@M hi"), previous_item_id="@F"),
    "respond to somebody else's": event(
        "response.create", response={"input": [{"type": "item_reference", "id": "@F"}]}),
    "respond to nothing": event("response.create", response={"input": []}),
    "respond to null": event("response.create", response=None),
    "respond to a list": event("response.create", response=[]),
    "an input of numbers": event("response.create", response={"input": [1, None, "x"]}),
    "no base64": event("input_audio_buffer.append", audio="!?"),
    "half a base64": event("input_audio_buffer.append", audio="AAAAA"),
    "base64 with accents": event("input_audio_buffer.append", audio="é" * 8),
    "sound that is a number": event("input_audio_buffer.append", audio=7),
    "sound that is an object": event("input_audio_buffer.append", audio={"audio": "AAAA"}),
    "no audio": event("input_audio_buffer.append"),
    "an empty item": item("user"),
    "an item that is null": event("conversation.item.create", item=None),
    "an item of no type": event("conversation.item.create", item={"role": "user"}),
    "an image": item("user", {"type": "input_image", "image_url": "data:,"}),
    "a short clip": item("user", {"type": "input_audio", "audio": "AAAA"}),
    "half a clip": item("user", {"type": "input_audio", "audio": CLIP[:-3]}),
    "no session": event("session.update"),
    "a session that is a list": event("session.update", session=[]),
    "beta": event("session.update", session={"voice": "ash"}),
    "a misspelt setting": session(instruction="x"),
    "an odd rate": listening(format={"type": "audio/pcm", "rate": 44_100}),
    "an odd format": listening(format={"type": "audio/opus"}),
    "an odd voice": speaking(voice="../../x"),
    "an odd speed": speaking(speed=10**400),
    "no speed": speaking(speed=-1),
    "an odd threshold": listening(turn_detection={"type": "server_vad", "threshold": 5}),
    "silence without end": listening(turn_detection={"type": "server_vad", "silence_duration_ms": 10**400}),
    "an odd detection": listening(turn_detection={"type": "@M"}),
    "audio that is null": session(audio=None),
    "instructions that are null": session(instructions=None),
    "an odd limit": session(max_output_tokens=-5),
    "tools that are numbers": session(tools=[1, 2]),
}  # fmt: skip

CUT = {
    f"{name}, cut at {at}": GOOD[name][:at] if at > 0 else GOOD[name][: len(GOOD[name]) + at]
    for name in ("write", "respond to this", "retrieve", "silence", "server_vad")
    for at in (1, 9, 30, -1, -9)
}  # fmt: skip

MESSAGES = GOOD | WRONG | CUT
