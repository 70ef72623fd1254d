"""Recordings that people drop on the page: decoded apart, and given back as the sound that the wire carries."""

from __future__ import annotations

import asyncio

import numpy as np
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from streaming.apart import Limits, decode
from streaming.audio import AudioChunk, AudioError
from web.leaving import unless_left

LONGEST_S = 240.0  # of sound: more does not fit into one event of the wire
AT_ONCE = 4  # recordings that are held in memory
DECODERS = 2  # processes at work; the others wait for one
LIMITS = Limits(seconds=LONGEST_S, rate=24_000, memory_mb=1024, cpu_s=20, wall_s=30.0)


class Clips:
    """`POST /clips?name=...` with a recording as its body -> 16-bit little-endian mono PCM at 24 kHz."""

    def __init__(self) -> None:
        self._held = 0
        self._decoders = asyncio.Semaphore(DECODERS)

    async def take(self, request: Request) -> Response:
        """422 and one line for what cannot be heard; 503 while too many are at it."""
        if self._held >= AT_ONCE:
            told = "other recordings are being read just now: try again in a few seconds"
            return _line(told, 503, {"Retry-After": "5", "Connection": "close"})
        self._held += 1
        try:
            data = await request.body()
            audio = await unless_left(request, self._decode(data, request.query_params.get("name", "")))
        except AudioError as error:
            return _line(str(error), 422)
        finally:
            self._held -= 1
        if audio is None:
            return Response(status_code=204)  # nobody reads it
        whole = np.clip(np.rint(audio.samples * 32_767), -32_768, 32_767).astype("<i2")
        return Response(whole.tobytes(), media_type="application/octet-stream")

    async def _decode(self, data: bytes, name: str) -> AudioChunk:
        async with self._decoders:
            return await decode(data, name, LIMITS)


def _line(told: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{told}\n", status, headers)
