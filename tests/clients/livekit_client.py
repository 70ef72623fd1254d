"""LiveKit's OpenAI RealtimeModel, without a room: its session, used as LiveKit's AgentSession uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from application import API_KEY, RATE, Answer, Seen
from livekit import rtc
from livekit.agents import function_tool
from livekit.plugins.openai.realtime import RealtimeModel, RealtimeSession
from scenarios import main


class LiveKitClient:
    forgets = False

    def __init__(self, session: RealtimeSession, seen: Seen) -> None:
        self.session = session
        self.seen = seen
        self.message_id = ""  # of the answer that sounds
        self.tasks: set[asyncio.Task[None]] = set()
        session.on("generation_created", self.answering)
        session.on("input_speech_started", self.interrupted)
        session.on("input_audio_transcription_completed", self.heard)
        session.on("metrics_collected", self.measured)
        session.on("error", lambda event: seen.errors.append(repr(event.error)))

    def answering(self, generation: Any) -> None:
        self.seen.answers.append(Answer())
        task = asyncio.create_task(self.receive(generation, self.seen.answers[-1]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def receive(self, generation: Any, answer: Answer) -> None:
        async for message in generation.message_stream:
            self.message_id = message.message_id
            await asyncio.gather(self.receive_text(message, answer), self.receive_sound(message, answer))
        async for _ in generation.function_stream:
            self.seen.tools_called += 1
        answer.over = True

    async def receive_text(self, message: Any, answer: Answer) -> None:
        async for delta in message.text_stream:
            answer.text += delta

    async def receive_sound(self, message: Any, answer: Answer) -> None:
        async for frame in message.audio_stream:
            answer.sound(frame.data.tobytes())

    def interrupted(self, _: Any) -> None:
        if self.seen.answering:
            self.truncate()

    def truncate(self) -> None:
        played_ms = round(1000 * self.seen.answers[-1].listened_s)
        self.session.truncate(message_id=self.message_id, modalities=["audio", "text"], audio_end_ms=played_ms)

    def heard(self, event: Any) -> None:
        if event.is_final:
            self.seen.heard.append(event.transcript)

    def measured(self, metrics: Any) -> None:
        self.seen.cancelled += getattr(metrics, "cancelled", False)

    async def hear(self, pcm: bytes) -> None:
        self.session.push_audio(rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2))

    async def type(self, text: str) -> None:
        context = self.session.chat_ctx.copy()
        context.add_message(role="user", content=text)
        await self.session.update_chat_ctx(context)
        await self.session.generate_reply()

    async def press(self) -> None:
        self.session.clear_audio()
        if self.seen.answering:
            await self.stop()

    async def release(self) -> None:
        self.session.commit_audio()
        await self.session.generate_reply()

    async def stop(self) -> None:
        self.session.interrupt()
        self.truncate()

    def history(self) -> list[tuple[str, str]]:
        messages = [item for item in self.session.chat_ctx.items if item.type == "message"]
        return [(message.role, message.text_content or "") for message in messages]


@function_tool
async def switch_light(on: bool) -> str:
    """Switches the light on or off."""
    return f"the light is {'on' if on else 'off'}"


@asynccontextmanager
async def connect(url: str, seen: Seen, turns: bool = True, tool: bool = False) -> AsyncIterator[LiveKitClient]:
    base = url.removesuffix("/realtime").replace("ws", "http", 1)
    async with aiohttp.ClientSession() as http:
        model = RealtimeModel(base_url=base, api_key=API_KEY, http_session=http)
        session = model.session(turn_detection_disabled=not turns)
        await session.update_instructions("Answer briefly.")
        await session.update_tools([switch_light] if tool else [])
        try:
            yield LiveKitClient(session, seen)
        finally:
            await session.aclose()


if __name__ == "__main__":
    main(connect)
