"""A text in a voice over HTTP: by OpenAI's own client, by programs that are wrong, and by ones that leave."""

from __future__ import annotations

import asyncio
import io
import time

import httpx
import numpy as np
import openai
import pytest
import soundfile

from tests.conftest import start
from web.doors import SPEECH_BYTES
from web.speech import AT_ONCE, LONGEST
from web.voicenames import VOICES

SENTENCE = "Seven times eight is fifty-six, and a cello has four strings."


@pytest.fixture(scope="module")
def served():
    running = start("--model", "echo", "--voice", "espeak")
    yield running
    running.stop()


@pytest.fixture
def client(served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
def door(served):
    with httpx.Client(base_url=served.url, timeout=60) as made:
        yield lambda **wanted: made.post("/v1/audio/speech", json={"input": SENTENCE, "voice": "espeak"} | wanted)


def spoken(client, format="wav", **options):
    """The samples, at 24 kHz."""
    wanted = {"model": "tts-1", "voice": "alloy", "input": SENTENCE, "response_format": format} | options
    content = client.audio.speech.create(**wanted).content
    if format == "pcm":
        return np.frombuffer(content, "<i2") / 32_768
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == 24_000 or format == "opus"
    return samples[:: rate // 24_000]


@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav", "pcm"])
def test_openais_client_in_every_format(client, format):
    samples = spoken(client, format)
    assert 2.5 < len(samples) / 24_000 < 6
    assert 0.03 < np.sqrt(np.mean(samples**2)) < 0.3


def test_every_name_of_openais_is_another_voice_and_speed_counts(client):
    usual = spoken(client, "pcm")
    voices = {name: spoken(client, "pcm", voice=name).tobytes() for name in VOICES}
    assert len(set(voices.values())) == len(VOICES) == 13
    assert len(spoken(client, "pcm", speed=1.5)) < 0.8 * len(usual)
    assert len(spoken(client, "pcm", voice={"id": "espeak:en-us"}, speed=0.5)) > 1.6 * len(usual)


def test_what_is_streamed_begins_at_once(served):
    """The first sound of an hour's text comes before the rest has been made."""
    text, began = (SENTENCE + " ") * (LONGEST // len(SENTENCE + " ")), time.monotonic()
    body = {"input": text, "voice": "espeak", "response_format": "pcm"}
    with httpx.stream("POST", f"{served.url}/v1/audio/speech", json=body, timeout=30) as answer:
        first, length = 0.0, 0
        for block in answer.iter_raw():
            first = first or time.monotonic() - began
            length += len(block)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/pcm"
    assert first < 0.5 * (time.monotonic() - began) and length / 48_000 > 60 * 2


@pytest.mark.parametrize(
    ("wanted", "code", "param", "says"),
    [
        ({"voice": "nobody"}, "invalid_value", "voice", "no voice is called 'nobody'; near it"),
        ({"voice": "nobody", "response_format": "pcm"}, "invalid_value", "voice", "no voice is called"),
        ({"voice": "piper:/etc/"}, "invalid_value", "voice", "no part is called"),
        ({"voice": {"name": "x"}}, "invalid_value", "voice", "voice"),
        ({"input": " \n"}, "invalid_value", "input", "input"),
        ({"input": "x" * (LONGEST + 1)}, "invalid_value", "input", "at most 4096"),
        ({"input": None}, "invalid_value", "input", "valid string"),
        ({"response_format": "aac"}, "invalid_value", "response_format", "'mp3', 'opus', 'flac', 'wav' or 'pcm'"),
        ({"speed": 9}, "invalid_value", "speed", "less than or equal to 4"),
        ({"stream_format": "sse"}, "invalid_value", "stream_format", "'audio'"),
        ({"instructions": "whisper"}, "unknown_parameter", "instructions", "instructions"),
    ],
)
def test_what_cannot_be_spoken(door, wanted, code, param, says):
    answer = door(**wanted)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert says in error["message"] and "\n" not in error["message"] and "/root" not in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"input": "\\ud800", "voice": "espeak"}'])
def test_what_is_no_request(served, body):
    answer = httpx.post(f"{served.url}/v1/audio/speech", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_the_door(served, serve):
    url = f"{served.url}/v1/audio/speech"
    assert httpx.get(url).status_code == 405
    assert httpx.post(url, content=b"x" * (SPEECH_BYTES + 1)).status_code == 413
    assert httpx.post(url, json={}, headers={"Origin": "http://elsewhere"}).status_code == 403
    guarded = serve("--model", "echo", "--voice", "tone", "--token", "sesame")
    stranger, friend = (
        openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=key, max_retries=0) for key in ("wrong", "sesame")
    )
    with stranger, pytest.raises(openai.AuthenticationError):
        spoken(stranger)
    with friend:
        assert len(spoken(friend))


async def test_those_who_do_not_read_are_few_and_leave_nothing_behind(served):
    """The fifth is asked to come again; when the others have left, everything is free."""
    body = {"input": (SENTENCE + " ") * (LONGEST // len(SENTENCE + " ")), "voice": "espeak", "response_format": "pcm"}
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        held = [client.stream("POST", "/v1/audio/speech", json=body) for _ in range(AT_ONCE)]
        for stream in held:
            assert (await stream.__aenter__()).status_code == 200
        answer = await client.post("/v1/audio/speech", json=body)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert "try again in a few seconds" in answer.json()["error"]["message"]
        for stream in held:
            await stream.__aexit__(None, None, None)
        async with asyncio.timeout(10):
            while (await client.post("/v1/audio/speech", json=body | {"input": "Yes."})).status_code == 503:
                await asyncio.sleep(0.05)


async def test_who_leaves_is_spoken_to_no_longer(served):
    """Of a whole file too: all places are free again before it could have been made."""
    body = {"input": "1234567890 " * 370, "voice": "espeak", "response_format": "wav"}
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        for _ in range(3):
            asked = [asyncio.create_task(client.post("/v1/audio/speech", json=body)) for _ in range(AT_ONCE)]
            await asyncio.sleep(0.2)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        async with asyncio.timeout(10):
            while (await client.post("/v1/audio/speech", json=body | {"input": "Yes."})).status_code == 503:
                await asyncio.sleep(0.05)


def test_a_folders_voice_is_heard_by_its_name_and_nobody_is_told_where_it_lies(joe, serve, tmp_path):
    folder = tmp_path / "mine"
    folder.symlink_to(joe)
    running = serve("--model", "echo", "--voice", f"piper:{folder}/")
    wanted = {"input": "Yes.", "voice": "piper:en_US-joe-medium", "response_format": "pcm"}
    answer = httpx.post(f"{running.url}/v1/audio/speech", json=wanted, timeout=60)
    assert answer.status_code == 200 and len(answer.content) > 10_000
    assert str(tmp_path) not in httpx.get(running.url).text
