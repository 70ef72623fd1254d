"""A session of a server, by the Realtime protocol with extras, in real time."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.caller import REPLY_S, WIRE_RATE, message
from bench.record import RATE, Answer
from streaming.audio import AudioChunk
from voicechat.terminal.wire import Upload, decoded, encoded

if TYPE_CHECKING:
    from bench.stage import Stage

DETECTION = {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}


class OverWire:
    """Frames go out when a microphone would deliver them."""

    def __init__(self, url: str) -> None:
        self.url = f"{url.replace('http', 'ws', 1)}/v1/realtime?extras=1"

    async def open(self, stage: Stage) -> None:
        self.stage, self._words = stage, ""
        self._turns: dict[str, int] = {}
        self._retrieved: dict[str, str | None] = {}
        self._changed = asyncio.Event()
        self._upload = Upload(0.02)
        self.socket = await connect(self.url, compression=None, max_size=None, open_timeout=REPLY_S)
        await self.socket.recv()
        await self._send("session.update", session={"type": "realtime", **DETECTION})
        while json.loads(await self.socket.recv())["type"] != "session.updated":
            pass
        self._begin = perf_counter()
        self._listening = asyncio.create_task(self._listen(self.socket))
        self.stage.run.exact = False

    async def hear(self, samples: np.ndarray, until_s: float) -> None:
        due = self._begin + until_s
        await asyncio.sleep(max(0.0, due - perf_counter()))
        self.stage.run.late_s = max(self.stage.run.late_s, perf_counter() - due)
        piece = self._upload.push(AudioChunk(samples, RATE))
        if len(piece):
            await self._send("input_audio_buffer.append", audio=encoded(piece))

    async def played(self, answer: Answer, seconds: float) -> None:
        # What was resampled on the way may be a sample shorter than the server has it: 1 ms makes up for it.
        told_ms = round(seconds * 1000) + answer.played_out
        await self._send("voicechat.played", item_id=answer.id, audio_ms=told_ms)

    async def stopped(self, answer: Answer) -> None:
        if not answer.withdrawn:
            told_ms = round(answer.played_s * 1000)
            await self._send("conversation.item.truncate", item_id=answer.id, content_index=0, audio_end_ms=told_ms)

    async def remembered(self, answers: list[Answer]) -> dict[str, str]:
        for answer in answers:
            self._retrieved[answer.id] = None
            await self._send("conversation.item.retrieve", item_id=answer.id, event_id=answer.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_S):
                while None in self._retrieved.values():
                    self._changed.clear()
                    await self._changed.wait()
        return {id: text or "" for id, text in self._retrieved.items()}

    async def close(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self.socket.close()

    async def _send(self, type: str, **fields: Any) -> None:
        await self.socket.send(message(type, **fields), text=True)

    async def _listen(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                self._take(json.loads(text), perf_counter() - self._begin)
                self._changed.set()

    def _take(self, event: dict[str, Any], now_s: float) -> None:
        match event["type"]:
            case "voicechat.event":
                told = event["event"]
                if told["type"] == "turn_started":
                    self._turns[told["answer"]], self._words = told["turn"], ""
                self.stage.told(told, now_s)
            case "response.output_audio_transcript.delta":
                self._words += event["delta"]
            case "response.output_audio.delta":
                samples = decoded(event["delta"])
                self.stage.sound(self._turns.get(event["item_id"], 0), samples, WIRE_RATE, self._words, now_s)
                self._words = ""
            case "response.done" if event["response"]["status"] == "completed":
                for item in event["response"]["output"]:
                    turn = self._turns.get(item["id"], 0)
                    if self._words:
                        self.stage.sound(turn, np.zeros(0, np.float32), WIRE_RATE, self._words, now_s)
                    self._words = ""
                    self.stage.complete(turn, now_s)
            case "conversation.item.retrieved":
                content = event["item"]["content"]
                self._retrieved[event["item"]["id"]] = "".join(
                    p.get("transcript") or p.get("text") or "" for p in content
                )
            case "error":
                error = event["error"]
                if error.get("event_id") in self._retrieved:
                    self._retrieved[error["event_id"]] = ""
                else:
                    self.stage.told({"type": "error", "message": error["message"]}, now_s)
