"""A text in a voice, outside of any conversation: OpenAI's `POST /v1/audio/speech`."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated, Any, Literal

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tts.voice import VoiceError
from voicechat.chat import VoiceChat
from web.leaving import unless_left
from web.schema import Refused
from web.sound import Encoder, Format
from web.voicenames import voice_named

LONGEST = 4096  # characters
AT_ONCE = 4  # texts that are being spoken
RATE = 24_000
ENCODED = {
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "opus": ("OGG", "OPUS", "audio/ogg"),
    "flac": ("FLAC", "PCM_16", "audio/flac"),
    "wav": ("WAV", "PCM_16", "audio/wav"),
}
"""Format -> libsndfile's two names for it, and its media type."""

CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "json_invalid": "invalid_json",
}
"""Pydantic's kinds of error -> those of OpenAI's protocols."""


class VoiceId(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str


class Wanted(BaseModel):
    """What a client sends. All models speak alike; `pcm` is 16-bit little-endian mono at 24 kHz, sent as it is made."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, Field(max_length=LONGEST, pattern=r"\S")]
    voice: str | VoiceId
    model: str = ""
    response_format: Literal["mp3", "opus", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio"] = "audio"


class Speech:
    """Speaks on the thread of the conversations' voices, whose answers come first."""

    def __init__(self, chat: VoiceChat) -> None:
        self._chat = chat
        self._speaking = 0

    async def take(self, request: Request) -> Response:
        """400 and OpenAI's error object for what cannot be spoken; 503 while too many are at it."""
        if self._speaking >= AT_ONCE:
            told = "other texts are being spoken just now: try again in a few seconds"
            return _error(503, "server_busy", told, None, {"Retry-After": "5", "Connection": "close"})
        self._speaking += 1
        try:
            return await self._answer(request)
        except Refused as refused:
            return _error(400, refused.code, str(refused), refused.param)
        except VoiceError as error:
            return _error(400, "invalid_value", str(error), "voice")
        finally:
            self._speaking -= 1

    async def _answer(self, request: Request) -> Response:
        wanted = _wanted(await request.body())
        sound = self._sound(wanted)
        if wanted.response_format == "pcm":
            first = await anext(sound)  # so that a voice that cannot be had is told as that
            self._speaking += 1
            return _Stream(first, sound, self._ended)
        whole = await unless_left(request, _joined(sound))
        return Response(status_code=204) if whole is None else _encoded(whole, wanted.response_format)

    async def _sound(self, wanted: Wanted) -> AsyncGenerator[bytes, None]:
        """16-bit mono at 24 kHz, as it is made."""
        voice = wanted.voice if isinstance(wanted.voice, str) else wanted.voice.id
        encoder = Encoder(Format())
        async with aclosing(self._chat.say(wanted.input, voice_named(voice), wanted.speed)) as chunks:
            async for chunk in chunks:
                yield encoder.push(chunk.samples, chunk.rate)
        yield encoder.flush()

    def _ended(self) -> None:
        self._speaking -= 1


class _Stream(StreamingResponse):
    """Sound as it is made, until the client has it all or has left: then `ended` is called."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], ended: Callable[[], None]) -> None:
        super().__init__(_chained(first, rest), media_type="audio/pcm")
        self._rest, self._ended = rest, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()
            await self._rest.aclose()


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _joined(sound: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(sound):
        return b"".join([piece async for piece in sound])


def _wanted(body: bytes) -> Wanted:
    try:
        return Wanted.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in wrong["loc"][:1])
        code = CODES.get(wrong["type"], "invalid_value")
        raise Refused(code, f"{where or 'the body'}: {wrong['msg']}", where or None) from None


def _encoded(sound: bytes, format: str) -> Response:
    kind, subtype, media_type = ENCODED[format]
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(sound, "<i2"), RATE, format=kind, subtype=subtype)
    return Response(file.getvalue(), media_type=media_type)


def _error(status: int, code: str, message: str, param: str | None, headers: dict[str, str] | None = None) -> Response:
    kind = "invalid_request_error" if status == 400 else "server_error"
    error: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status, headers)
