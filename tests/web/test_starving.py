"""A client whose sound stops in mid-speech, over a real WebSocket, in real time."""

import asyncio
import base64

import pytest
import soxr

from tests.speech import say, silence
from tests.web.test_hostile import client

STEP = 4_800  # bytes: 0.1 s
SERVER, SEMANTIC = {"type": "server_vad"}, {"type": "semantic_vad"}


def pcm(samples) -> bytes:
    return (soxr.resample(samples, 16_000, 24_000) * 32_767).astype("<i2").tobytes()


QUESTION = pcm(0.5 * say("what is seven times eight"))


class Microphone:
    def __init__(self, wire) -> None:
        self.wire, self.sent = wire, 0

    async def say(self, data: bytes, pace: float = 1.0) -> None:
        for at in range(0, len(data), STEP):
            piece = data[at : at + STEP]
            await self.wire.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())
            self.sent += len(piece)
            await asyncio.sleep(pace * len(piece) / 48_000)

    @property
    def sent_ms(self) -> float:
        return self.sent / 48


async def answered(wire) -> str:
    done = (await wire.until("response.done"))["response"]
    return done["output"][0]["content"][0]["transcript"] if done["status"] == "completed" else done["status"]


def count(wire, type: str) -> int:
    return sum(event["type"] == type for event in wire.events)


@pytest.mark.parametrize("detection", [SERVER, SEMANTIC], ids=["server_vad", "semantic_vad"])
async def test_it_is_answered_and_what_comes_late_is_not_answered_again(server, detection):
    async with client(server) as wire:
        await wire.detect(detection)
        microphone = Microphone(wire)
        await microphone.say(pcm(silence(0.5)) + QUESTION)
        async with asyncio.timeout(4.0):
            assert "fifty-six" in await answered(wire)
        stopped = next(e for e in wire.events if e["type"] == "input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] <= microphone.sent_ms
        await microphone.say(pcm(silence(3.0)), pace=0.0)
        begun_ms = microphone.sent_ms
        await microphone.say(QUESTION + pcm(silence(1.5)))
        assert "fifty-six" in await answered(wire)
        assert count(wire, "response.created") == count(wire, "input_audio_buffer.speech_started") == 2
        started = [e for e in wire.events if e["type"] == "input_audio_buffer.speech_started"][-1]
        assert started["audio_start_ms"] == pytest.approx(begun_ms - 300, abs=150)


async def test_a_network_that_stalls_in_mid_sentence_makes_one_question(server):
    """The first half is answered, and taken back when the rest comes."""
    half = len(QUESTION) // 2 // 2 * 2
    async with client(server) as wire:
        await wire.detect(SERVER)
        microphone = Microphone(wire)
        await microphone.say(pcm(silence(0.5)) + QUESTION[:half])
        await answered(wire)
        await microphone.say(QUESTION[half:] + pcm(silence(1.5)), pace=0.0)
        assert "fifty-six" in await answered(wire)
        assert count(wire, "conversation.item.deleted") == 1
        assert [e["audio_end_ms"] for e in wire.events if e["type"] == "conversation.item.truncated"] == [0]


async def test_by_hand_nothing_is_decided(server):
    async with client(server) as wire:
        await wire.detect(None)
        await Microphone(wire).say(QUESTION)
        await asyncio.sleep(2.5)
        await wire.served()
        assert count(wire, "response.created") == count(wire, "input_audio_buffer.committed") == 0
