"""Recordings that people drop: decoded by the server, apart from every conversation."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
import soundfile

from tests.media import encoded
from web.clips import AT_ONCE, LONGEST_S
from web.doors import CLIP_BYTES
from web.server import UNREAD_S


@pytest.fixture
def door(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield lambda data, name="a.wav", **more: client.post(f"/clips?name={quote(name)}", content=data, **more)


def tone(seconds: float, rate: int = 48_000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "noindex.mp3", "phone.m4a", "browser.webm", "browser.ogg"])
def test_every_kind_comes_back_as_the_wire_carries_it(door, tmp_path, name):
    if name.startswith("a."):
        soundfile.write(tmp_path / name, tone(2.0), 48_000)
    else:
        encoded(tmp_path / name, tone(2.0))
    answer = door((tmp_path / name).read_bytes(), name)
    assert answer.status_code == 200
    samples = np.frombuffer(answer.content, "<i2") / 32_768
    assert abs(len(samples) / 24_000 - 2.0) < 0.1
    middle = samples[12_000:36_000]
    assert abs(np.abs(np.fft.rfft(middle)).argmax() - 440) <= 1
    assert 0.3 < np.sqrt(np.mean(middle**2)) < 0.45  # 0.35, and what the codecs make of a pure tone


def test_what_cannot_be_heard_is_one_line_that_names_it(door, tmp_path):
    soundfile.write(tmp_path / "long.flac", np.zeros(16_000 * 3600, np.float32), 16_000)
    assert (tmp_path / "long.flac").stat().st_size < 400_000
    for data, name, says in (
        (b"no sound at all", "notes.txt", "notes.txt cannot be read as audio"),
        (b"", "empty.wav", "empty.wav is empty"),
        ((tmp_path / "long.flac").read_bytes(), "long.flac", f"at most {LONGEST_S / 60:.0f} min"),
        (b"x", "../../etc/<b>\r\nX: y", "etc/<b>"),
        (b"RIFF\xff\xff\xff\xffWAVE" + os.urandom(2000), "broken.wav", "broken.wav"),
    ):
        answer = door(data, name)
        assert answer.status_code == 422 and answer.headers["content-type"].startswith("text/plain")
        assert says in answer.text and answer.text.count("\n") == 1, answer.text


def test_what_is_too_large_is_refused_unread(door):
    assert door(b"x" * (CLIP_BYTES + 1)).status_code == 413


def test_other_websites_pages_have_nothing_decoded(door):
    assert door(b"x", headers={"Origin": "https://evil.example"}).status_code == 403


async def test_a_crowd_waits_its_turn_and_leaves_nothing_behind(server, tmp_path):
    """Some are told to come again; those who leave in the middle are forgotten; /healthz answers meanwhile."""
    data = encoded(tmp_path / "index.mp3", tone(60.0)).read_bytes()
    before = children(server.process.pid)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        asked = [asyncio.create_task(client.post("/clips?name=a.mp3", content=data)) for _ in range(3 * AT_ONCE)]
        await asyncio.sleep(0.3)
        assert (await client.get("/healthz")).status_code == 200
        for task in asked[:AT_ONCE]:
            task.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        statuses = {answer.status_code for answer in answers if isinstance(answer, httpx.Response)}
        assert statuses <= {200, 503} and 503 in statuses
        for _ in range(20):  # the last of them has to be read from first
            again = await client.post("/clips?name=a.mp3", content=data)
            if again.status_code != 503:
                break
            await asyncio.sleep(0.5)
        assert again.status_code == 200
    for _ in range(100):
        if children(server.process.pid) == before:
            break
        await asyncio.sleep(0.1)
    assert children(server.process.pid) == before


async def test_nothing_is_decoded_for_one_who_has_left(server, tmp_path):
    """Its process is gone at once, and not when it has finished."""
    data = encoded(tmp_path / "index.mp3", np.tile(tone(60.0), 4)).read_bytes()
    before = children(server.process.pid)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        asked = asyncio.create_task(client.post("/clips?name=a.mp3", content=data))
        while children(server.process.pid) == before:
            await asyncio.sleep(0.005)
        asked.cancel()
    begin = time.monotonic()
    while children(server.process.pid) > before:
        await asyncio.sleep(0.005)
    assert time.monotonic() - begin < 0.2


def children(pid: int) -> int:
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_an_answer_that_nobody_reads_is_not_kept(server, tmp_path):
    """11 MB of it: whoever does not read it is cut off."""
    soundfile.write(tmp_path / "long.flac", np.zeros(round(LONGEST_S) * 16_000, np.float32), 16_000)
    data = (tmp_path / "long.flac").read_bytes()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(20)
        line.connect(("127.0.0.1", server.port))
        head = f"POST /clips?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        line.sendall(head.encode() + data)
        assert line.recv(15).startswith(b"HTTP/1.1 200")
        time.sleep(UNREAD_S + 3)
        taken = 0
        with suppress(ConnectionError):
            while part := line.recv(65_536):
                taken += len(part)
    assert taken < LONGEST_S * 48_000
