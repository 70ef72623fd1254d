"""A server that stands still for a while, as that of a suspended machine does, and goes on."""

import asyncio
import json
import os
import signal

import pytest
from websockets.asyncio.client import connect

STILL_S = 12.0


class Asker:
    """Asks by keyboard and keeps what it is told."""

    def __init__(self, socket):
        self.socket, self.events = socket, []

    async def ask(self, text):
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await self.socket.send(json.dumps({"type": "response.create"}))

    async def until(self, type, seconds=40):
        async with asyncio.timeout(seconds):
            while True:
                self.events.append(json.loads(await self.socket.recv()))
                if self.events[-1]["type"] == type:
                    return self.events[-1]


@pytest.mark.slow
async def test_conversations_go_on_after_a_server_stood_still(serve):
    """In the middle of an answer: the rest of it comes, once; and the other conversation is answered."""
    server = serve("--model", "echo", "--voice", "tone")
    words = "One two three four five six seven eight nine ten. " * 4
    async with connect(server.wire, max_size=None) as one, connect(server.wire, max_size=None) as two:
        speaking, silent = Asker(one), Asker(two)
        await silent.until("session.created")
        await speaking.ask(words)
        await speaking.until("response.output_audio.delta")
        os.kill(server.process.pid, signal.SIGSTOP)
        await asyncio.sleep(STILL_S)
        os.kill(server.process.pid, signal.SIGCONT)
        done = await speaking.until("response.done")
        assert done["response"]["status"] == "completed"
        said = done["response"]["output"][0]["content"][0]["transcript"]
        told = [e["delta"] for e in speaking.events if e["type"] == "response.output_audio_transcript.delta"]
        assert said == "".join(told) and said.count("ten.") == 4
        await silent.ask("is anybody there")
        answer = await silent.until("response.done")
        assert "is anybody there" in answer["response"]["output"][0]["content"][0]["transcript"]
        assert len([e for e in silent.events if e["type"] == "response.created"]) == 1
