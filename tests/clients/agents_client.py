"""openai-agents: its realtime runner, with the settings that it has by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from application import API_KEY, Answer, Seen, beside
from scenarios import main


class AgentsClient:
    forgets = True

    def __init__(self, session: RealtimeSession, seen: Seen) -> None:
        self.session = session
        self.seen = seen
        self.messages: list[Any] = []

    async def listen(self) -> None:
        async for event in self.session:
            self.take(event)
        self.seen.errors.append("the session ended")

    def take(self, event: Any) -> None:
        seen = self.seen
        match event.type:
            case "agent_start":
                seen.answers.append(Answer())
            case "agent_end":
                seen.answers[-1].over = True
            case "audio":
                seen.answers[-1].sound(event.audio.data)
            case "audio_interrupted":
                seen.cancelled += seen.answering  # it is also told when the sound of an answer is over
            case "history_updated":
                self.messages = event.history
            case "history_added":
                self.messages = [m for m in self.messages if m.item_id != event.item.item_id] + [event.item]
            case "tool_start":
                seen.tools_called += 1
            case "error":
                seen.errors.append(repr(event.error))
            case "raw_model_event":
                self.take_raw(event.data)

    def take_raw(self, event: Any) -> None:
        match event.type:
            case "transcript_delta":
                self.seen.answers[-1].text += event.delta
            case "input_audio_transcription_completed":
                self.seen.heard.append(event.transcript)
            case "exception":
                self.seen.errors.append(f"{event.context}: {event.exception!r}")

    async def send(self, message: dict[str, Any]) -> None:
        await self.session.model.send_event(RealtimeModelSendRawMessage(message=message))

    async def hear(self, pcm: bytes) -> None:
        await self.session.send_audio(pcm)

    async def type(self, text: str) -> None:
        await self.session.send_message(text)

    async def press(self) -> None:
        await self.send({"type": "input_audio_buffer.clear"})
        if self.seen.answering:
            await self.stop()

    async def release(self) -> None:
        await self.send({"type": "input_audio_buffer.commit"})
        await self.send({"type": "response.create"})

    async def stop(self) -> None:
        await self.session.interrupt()

    def history(self) -> list[tuple[str, str]]:
        return [(m.role, " ".join(text_of(part) for part in m.content)) for m in self.messages if m.type == "message"]


def text_of(part: Any) -> str:
    return getattr(part, "transcript", None) or getattr(part, "text", None) or ""


@function_tool
def switch_light(on: bool) -> str:
    """Switches the light on or off."""
    return f"the light is {'on' if on else 'off'}"


@asynccontextmanager
async def connect(url: str, seen: Seen, turns: bool = True, tool: bool = False) -> AsyncIterator[AgentsClient]:
    agent = RealtimeAgent(name="visitor", instructions="Answer briefly.", tools=[switch_light] if tool else [])
    settings: dict[str, Any] = {} if turns else {"turn_detection": None}
    session = await RealtimeRunner(agent).run(
        model_config={"url": url, "api_key": API_KEY, "initial_model_settings": settings}
    )
    async with session:
        client = AgentsClient(session, seen)
        async with beside(client.listen()):
            yield client


if __name__ == "__main__":
    main(connect)
