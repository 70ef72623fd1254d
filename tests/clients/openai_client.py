"""openai-python's Realtime connection: the raw events, as an application would use them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from application import API_KEY, MODEL, Answer, Seen, beside
from openai import AsyncOpenAI
from scenarios import main

TOOL = {
    "type": "function",
    "name": "switch_light",
    "description": "Switches the light on or off.",
    "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
}


class OpenAIClient:
    forgets = True

    def __init__(self, connection: Any, seen: Seen) -> None:
        self.connection = connection
        self.seen = seen
        self.items: dict[str, Any] = {}
        self.answer: str | None = None  # the item that sounds
        self.session: Any = None

    async def listen(self) -> None:
        async for event in self.connection:
            await self.take(event)
        self.seen.errors.append("the server closed the connection")

    async def take(self, event: Any) -> None:
        seen = self.seen
        match event.type:
            case "session.created" | "session.updated":
                self.session = event.session
            case "response.created":
                if seen.answering:
                    seen.errors.append("a response began before the last one was done")
                seen.answers.append(Answer())
            case "response.output_audio.delta":
                self.answer = event.item_id
                seen.answers[-1].sound(base64.b64decode(event.delta))
            case "response.output_audio_transcript.delta":
                seen.answers[-1].text += event.delta
            case "response.done":
                seen.cancelled += event.response.status == "cancelled"
                if event.response.status not in ("completed", "cancelled"):
                    seen.errors.append(f"response {event.response.status}")
                seen.answers[-1].over = True
            case "input_audio_buffer.speech_started" if seen.answering:
                await self.truncate()
            case "conversation.item.added" | "conversation.item.done" | "conversation.item.retrieved":
                self.items[event.item.id] = event.item
            case "conversation.item.deleted":
                self.items.pop(event.item_id)
            case "conversation.item.truncated":
                await self.connection.conversation.item.retrieve(item_id=event.item_id)
            case "conversation.item.input_audio_transcription.completed":
                seen.heard.append(event.transcript)
                self.items[event.item_id].content[event.content_index].transcript = event.transcript
            case "response.function_call_arguments.done":
                seen.tools_called += 1
            case "error":
                seen.errors.append(repr(event.error))

    async def truncate(self) -> None:
        """The application falls silent, and says how much of the answer it has played."""
        if self.answer:
            played_ms = round(1000 * self.seen.answers[-1].listened_s)
            item = self.connection.conversation.item
            await item.truncate(item_id=self.answer, content_index=0, audio_end_ms=played_ms)

    async def hear(self, pcm: bytes) -> None:
        await self.connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())

    async def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.connection.response.create()

    async def press(self) -> None:
        await self.connection.input_audio_buffer.clear()
        if self.seen.answering:
            await self.stop()

    async def release(self) -> None:
        await self.connection.input_audio_buffer.commit()
        await self.connection.response.create()

    async def stop(self) -> None:
        await self.connection.response.cancel()
        await self.truncate()

    def history(self) -> list[tuple[str, str]]:
        messages = [item for item in self.items.values() if item.type == "message"]
        return [(m.role, " ".join(part.transcript or part.text or "" for part in m.content or [])) for m in messages]


@asynccontextmanager
async def connect(url: str, seen: Seen, turns: bool = True, tool: bool = False) -> AsyncIterator[OpenAIClient]:
    openai = AsyncOpenAI(api_key=API_KEY, websocket_base_url=url.removesuffix("/realtime"))
    async with openai.realtime.connect(model=MODEL) as connection:
        client = OpenAIClient(connection, seen)
        await connection.session.update(
            session={
                "type": "realtime",
                "output_modalities": ["audio"],
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24_000},
                        "transcription": {"model": "gpt-4o-mini-transcribe"},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 500} if turns else None,
                    },
                    "output": {"voice": "marin"},
                },
                "tools": [TOOL] if tool else [],
            }
        )
        async with beside(client.listen()):
            yield client
        if client.session is None or [t.name for t in client.session.tools] != [TOOL["name"]] * tool:
            seen.errors.append(f"the session does not say which tools it has: {client.session}")


if __name__ == "__main__":
    main(connect)
