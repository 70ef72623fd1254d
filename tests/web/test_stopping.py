"""SIGTERM while ten talk: each hears the end of its sentence, and the process ends in time, whatever clients do."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bench.caller import frames
from tests.speech import say, silence

SENTENCE = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen. "
WITHIN_S = 10.0


def untrusting():
    """The server's certificate was made just now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def item(text):
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


class Talker:
    """Has asked for a long answer, and keeps what it is told."""

    def __init__(self, server):
        self.events, self.close, self.sounds = [], None, asyncio.Event()
        self._server = server

    async def talk(self, after=None):
        """Until the server closes. `after` is what else it does, once it hears the answer."""
        async with connect(self._server.wire, ssl=untrusting(), max_size=None) as self.socket:
            for event in (item(SENTENCE * 10), {"type": "response.create"}):
                await self.socket.send(json.dumps(event))
            doing = None
            try:
                while True:
                    self.events.append(json.loads(await self.socket.recv()))
                    if self.events[-1]["type"] == "response.output_audio.delta" and not self.sounds.is_set():
                        self.sounds.set()
                        doing = after and asyncio.create_task(after(self))
            except ConnectionClosed as closed:
                self.close = closed.rcvd and closed.rcvd.code
            finally:
                if doing:
                    doing.cancel()

    def of(self, type):
        return [event for event in self.events if event["type"] == type]

    @property
    def said(self):
        """What its one response came to."""
        created, done = self.of("response.created"), self.of("response.done")
        assert [e["response"]["id"] for e in created] == [e["response"]["id"] for e in done]
        assert len(done) == 1
        return done[0]["response"]["output"][0]["content"][0]["transcript"]


async def reads_nothing(talker):
    talker.socket.transport.pause_reading()
    for _ in range(120):
        await talker.socket.send(json.dumps(item("word " * 20_000)))


async def keeps_talking(talker):
    with contextlib.suppress(ConnectionClosed):
        while True:
            for frame in frames(0.5 * say("what is seven times eight")) + frames(silence(1.0)):
                await talker.socket.send(frame, text=True)
                await asyncio.sleep(0.02)
            await talker.socket.send(json.dumps({"type": "response.create"}))


async def keeps_writing(talker):
    with contextlib.suppress(ConnectionClosed):
        while True:
            for event in ({"type": "response.cancel"}, item("Go on. " * 20), {"type": "response.create"}):
                await talker.socket.send(json.dumps(event))
            await asyncio.sleep(0.1)


async def in_the_middle_of_a_request(server):
    """A clip that never comes to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=untrusting())
    writer.write(b"POST /clips?name=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nRIFF")
    with contextlib.suppress(OSError):
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.1)


@pytest.mark.alone
async def test_sigterm_while_ten_talk(serve_cold, capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    server = serve_cold("--model", "echo", "--voice", "tone", "--tls")
    talkers = [Talker(server) for _ in range(10)]
    habits = [None] * 7 + [reads_nothing, keeps_talking, keeps_writing]
    talking = [asyncio.create_task(t.talk(h)) for t, h in zip(talkers, habits, strict=True)]
    others = [asyncio.create_task(in_the_middle_of_a_request(server))]
    with contextlib.ExitStack() as half_open:
        for said in (b"", b"\x16\x03\x01\x02\x00"):  # TLS that has not begun, and the beginning of a hello
            half_open.enter_context(socket.create_connection(("127.0.0.1", server.port))).sendall(said)
        await asyncio.gather(*(talker.sounds.wait() for talker in talkers))
        await asyncio.sleep(1.0)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        async with connect(server.wire, ssl=untrusting()) as late:
            assert json.loads(await late.recv())["error"]["code"] == "server_stopping"
        assert await asyncio.to_thread(server.process.wait, WITHIN_S + 5) == 0
        assert time.monotonic() - began < WITHIN_S
    async with asyncio.timeout(5):
        await asyncio.gather(*talking[:7])
    for task in talking[7:] + others:
        task.cancel()
    for talker in talkers[:7]:
        assert talker.close == 1001 and talker.of("error")[-1]["error"]["code"] == "server_stopping"
        assert talker.said.rstrip().endswith("fifteen.") and talker.said.count("fifteen") < 4
        assert talker.said == "".join(e["delta"] for e in talker.of("response.output_audio_transcript.delta"))
    for talker in talkers[8:]:
        created, done = talker.of("response.created"), talker.of("response.done")
        assert [e["response"]["id"] for e in created] == [e["response"]["id"] for e in done]
    assert capfd.readouterr().err == ""


async def test_whoever_is_cut_off_in_mid_sentence_is_told_so(serve_cold):
    """A sentence that is longer than the time for it."""
    server = serve_cold("--model", "echo", "--voice", "tone")
    async with connect(server.wire, max_size=None) as client:
        for event in (item("and so on " * 100), {"type": "response.create"}):
            await client.send(json.dumps(event))
        events, stopped = [], False
        with pytest.raises(ConnectionClosed) as end:
            while True:
                events.append(json.loads(await client.recv()))
                if events[-1]["type"] == "response.output_audio.delta" and not stopped:
                    server.process.send_signal(signal.SIGTERM)
                    stopped = True
        assert end.value.rcvd.code == 1001
        assert [e["response"]["status"] for e in events if e["type"] == "response.done"] == ["cancelled"]
    assert await asyncio.to_thread(server.process.wait, 5) == 0
