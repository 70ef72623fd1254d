"""A real server against clients that are wrong, rude, slow or gone; and what it says of itself."""

import asyncio
import base64
import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.speech import say

PATIENCE_S = 8.0
PROMPT_S = 1.0  # for a reply, where nothing but the machine's other work is in the way
MIB = 2**20
SPEECH = base64.b64encode((say("what is seven times eight")[:16_000] * 16_000).astype("<i2").tobytes()).decode()
SILENCE = base64.b64encode(bytes(9_600)).decode()  # 0.2 s


class Wire:
    """One client, and every event that it was sent."""

    def __init__(self, socket):
        self.socket, self.events, self.largest = socket, [], 0

    async def send(self, type, **fields):
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def next(self):
        async with asyncio.timeout(PATIENCE_S):
            text = await self.socket.recv()
        self.largest = max(self.largest, len(text))
        self.events.append(json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")))
        return self.events[-1]

    async def until(self, type):
        while (event := await self.next())["type"] != type:
            pass
        return event

    async def error(self):
        return (await self.until("error"))["error"]

    async def served(self):
        """-> seconds until an event that is answered at once was answered."""
        begin = time.perf_counter()
        await self.send("conversation.item.retrieve", item_id="none", event_id="served?")
        while (await self.error()).get("event_id") != "served?":
            pass
        return time.perf_counter() - begin

    async def closed(self):
        """-> the close code, and the code of the last error before it."""
        with pytest.raises(ConnectionClosed) as end:
            while True:
                await self.next()
        said = [event["error"]["code"] for event in self.events if event["type"] == "error"]
        return end.value.rcvd and end.value.rcvd.code, said[-1] if said else None

    async def write(self, text, **response):
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create", response=response)

    async def detect(self, detection):
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        await self.send("session.update", session=session)
        await self.until("session.updated")


@asynccontextmanager
async def client(server, host="localhost", **options):
    """`host`: by what name the server is asked for."""
    url = server.wire.replace("localhost", host)
    if host != "localhost":
        options |= {"host": "localhost", "port": server.port}
    async with connect(url, **{"max_size": None, "compression": None, **options}) as connection:
        wire = Wire(connection)
        if (await wire.next())["type"] != "error":
            assert wire.events[0]["type"] == "session.created"
        yield wire


async def until(condition, seconds=PATIENCE_S):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def fetch(server, path, **headers):
    request = urllib.request.Request(f"{server.url}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def free(server):
    return json.loads(fetch(server, "/readyz")[1])["free"]


@pytest.fixture
async def next_client_is_served(server):
    """Whatever a test has done: nobody else notices, and no seat is lost."""
    before = free(server)
    yield
    await until(lambda: free(server) >= before)  # one that another test had left late may be free by now too
    async with client(server) as wire:
        assert await wire.served() < PROMPT_S


guarded = pytest.mark.usefixtures("next_client_is_served")


def nested(depth):
    return '{"a":' * depth + "1" + "}" * depth


def session(**fields):
    return json.dumps({"type": "session.update", "event_id": "mine", "session": {"type": "realtime", **fields}})


def listening(**detection):
    return session(audio={"input": {"turn_detection": {"type": "server_vad", **detection}}})


def event(type, **fields):
    return json.dumps({"type": type, "event_id": "mine", **fields})


def item(**fields):
    return event("conversation.item.create", item={"type": "message", "role": "user", **fields})


WRONG = {
    "no JSON": ('{"type": "session.update"', "invalid_json", "JSON"),
    "nothing": ("", "invalid_json", "JSON"),
    "a list": ("[]", "invalid_json", "object"),
    "a string": ('"session.update"', "invalid_json", "object"),
    "null": ("null", "invalid_json", "object"),
    "a number without end": ("9" * 5_000, "invalid_json", "JSON"),
    "deeply nested": (nested(100_000), "invalid_json", "JSON"),
    "nested lists": ("[" * 100_000, "invalid_json", "JSON"),
    "no type": ("{}", "unknown_event", "type"),
    "a type that is a number": ('{"type": 5}', "unknown_event", "'5'"),
    "a type that is an object": ('{"type": {"type": "session.update"}}', "unknown_event", "type"),
    "a misspelt type": (event("input_audio_buffer.apend"), "unknown_event", "input_audio_buffer.append"),
    "a server's type": (event("response.created"), "unknown_event", "response.create"),
    "an event for extras": (event("voicechat.played", item_id="x", audio_ms=1), "unknown_event", "extras=1"),
    "beta": (event("session.update", session={"voice": "ash"}), "unknown_parameter", "audio.output.voice"),
    "beta modalities": (session(modalities=["text"]), "unknown_parameter", "output_modalities"),
    "a misspelt setting": (session(instruction="x"), "unknown_parameter", "instructions"),
    "no session": (event("session.update"), "missing_required_parameter", "session"),
    "a session of another type": (session(type="transcription"), "invalid_value", "realtime"),
    "a threshold of 5": (listening(threshold=5), "invalid_value", "threshold"),
    "a threshold of NaN": (listening(threshold=float("nan")), "invalid_json", "NaN"),
    "silence of -1": (listening(silence_duration_ms=-1), "invalid_value", "silence"),
    "silence of NaN": (listening(silence_duration_ms=float("nan")), "invalid_json", "NaN"),
    "padding of -1": (listening(prefix_padding_ms=-1), "invalid_value", "turn_detection"),
    "a speed of 99": (session(audio={"output": {"speed": 99}}), "invalid_value", "0.25 to 1.5"),
    "a speed of -1": (session(audio={"output": {"speed": -1}}), "invalid_value", "0.25 to 1.5"),
    "a speed of NaN": (session(audio={"output": {"speed": float("nan")}}), "invalid_json", "NaN"),
    "a speed without end": (session(audio={"output": {"speed": 10**400}}), "invalid_value", "speed"),
    "a voice that is a path": (session(audio={"output": {"voice": "../../x"}}), "invalid_value", "no voice"),
    "another rate": (
        session(audio={"input": {"format": {"type": "audio/pcm", "rate": 44_100}}}), "invalid_value", "rate"),
    "commit of nothing": (event("input_audio_buffer.commit"), "input_audio_buffer_commit_empty", "append"),
    "cancel of nothing": (event("response.cancel"), "response_cancel_not_active", "Cancellation failed"),
    "cancel of another": (
        event("response.cancel", response_id="resp_1"), "response_cancel_not_active", "Cancellation failed"),
    "retrieve": (event("conversation.item.retrieve", item_id="x"), "item_retrieve_invalid_item_id", "'x'"),
    "delete": (event("conversation.item.delete", item_id="x"), "item_delete_invalid_item_id", "'x'"),
    "truncate": (
        event("conversation.item.truncate", item_id="x", content_index=0, audio_end_ms=10**400),
        "item_truncate_invalid_item_id", "'x'"),
    "audio that is no base64": (event("input_audio_buffer.append", audio="!?"), "invalid_value", "base64"),
    "half a base64": (event("input_audio_buffer.append", audio="AAAAA"), "invalid_value", "base64"),
    "audio that is not ASCII": (event("input_audio_buffer.append", audio="é" * 8), "invalid_value", "base64"),
    "audio that is a number": (event("input_audio_buffer.append", audio=7), "invalid_value", "audio"),
    "no audio": (event("input_audio_buffer.append"), "missing_required_parameter", "audio"),
    "20 MiB of audio": (event("input_audio_buffer.append", audio="A" * 20 * MIB), "invalid_value", "15 MiB"),
    "an item that is empty": (item(content=[]), "invalid_value", "empty"),
    "an image": (item(content=[{"type": "input_image", "image_url": "data:,"}]), "invalid_value", "images"),
    "a clip of 1 ms": (item(content=[{"type": "input_audio", "audio": "AAAA" * 16}]), "invalid_value", "0.1 s"),
    "an item after none": (
        event("conversation.item.create", previous_item_id="x",
              item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}),
        "item_create_invalid_item_id", "'x'"),
    "an answer to none": (
        event("response.create", response={"input": [{"type": "item_reference", "id": "x"}]}),
        "item_reference_invalid_item_id", "'x'"),
}  # fmt: skip


@guarded
@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_gets_one_error_that_says_what_to_do(server, name):
    text, code, says = WRONG[name]
    async with client(server) as wire:
        await wire.socket.send(text)
        error = await wire.error()
        assert (error["code"], error["type"]) == (code, "invalid_request_error")
        assert says in error["message"] and "\n" not in error["message"] and len(error["message"]) < 600
        assert error.get("event_id") == ("mine" if '"mine"' in text[:200] else None)
        if code == "response_cancel_not_active":
            assert error["message"].startswith("Cancellation failed")
        await wire.served()
        assert [e["type"] for e in wire.events] == ["session.created", "error", "error"]


BREAKING = {
    "an id that is ours": (
        session(instructions="Be brief."),
        item(id="instructions", content=[{"type": "input_text", "text": "hi"}])),
    "silence without end": (listening(silence_duration_ms=10**400),),
    "padding without end": (listening(prefix_padding_ms=10**400),),
    "a tool that is deeply nested": (
        '{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function","name":"x","parameters":'
        + nested(700) + "}]}}",
        session()),
    "a tool with a NaN": (session(tools=[{"type": "function", "name": "x", "parameters": {"x": float("nan")}}]),),
    "an event_id that is deeply nested": ('{"type":"x","event_id":' + nested(500) + "}",),
    "half a character": (item(content=[{"type": "input_text", "text": "\ud800"}]), event("response.create")),
    "a limit below zero": (session(max_output_tokens=-5), item(content=[{"type": "input_text", "text": "hi"}]),
                           event("response.create")),
    "truncate everything": (event("response.create"), session(instructions=None), session(audio=None)),
}  # fmt: skip


@guarded
@pytest.mark.parametrize("name", BREAKING)
async def test_what_no_check_foresaw_does_not_end_the_conversation(server, name):
    async with client(server) as wire:
        for text in BREAKING[name]:
            await wire.socket.send(text)
        await wire.served()


@guarded
@pytest.mark.parametrize(
    "text",
    [
        item(content=[{"type": "input_text", "text": "ten " * 500_000}]),
        item(id="x" * 2 * MIB, content=[{"type": "input_text", "text": "hi"}]),
        session(instructions="be brief " * 250_000),
        json.dumps({"type": "x", "event_id": "x" * 2 * MIB}),
        event("session.update", session={"type": "realtime", "x" * 2 * MIB: 1}),
        session(audio={"output": {"voice": "espeak:" + "x" * 2 * MIB}}),
    ],
    ids=["text", "id", "instructions", "event_id", "setting", "voice"],
)
async def test_no_frame_is_as_long_as_a_mebibyte(server, text):
    """Clients close a connection at that (websockets' default limit)."""
    async with client(server) as wire:
        await wire.socket.send(text)
        await wire.served()
        assert wire.largest < MIB


@guarded
async def test_a_clip_is_told_of_without_its_sound(server):
    async with client(server) as wire:
        clip = [{"type": "input_audio", "audio": base64.b64encode(bytes(2 * MIB)).decode()}]
        await wire.send("conversation.item.create", item={"id": "clip", "type": "message", "role": "user",
                                                          "content": clip})  # fmt: skip
        await wire.send("conversation.item.retrieve", item_id="clip")
        assert (await wire.until("conversation.item.retrieved"))["item"]["id"] == "clip"
        assert wire.largest < 2_000


@guarded
async def test_a_binary_frame_is_not_understood(server):
    async with client(server) as wire:
        await wire.socket.send(b"\0" * 1000)
        assert "base64" in (await wire.error())["message"]
        await wire.served()


@guarded
async def test_a_frame_may_come_in_pieces(server):
    async with client(server) as wire:
        text = event("conversation.item.retrieve", item_id="x")
        await wire.socket.send([text[:9], "", text[9:30], text[30:]])
        assert (await wire.error())["event_id"] == "mine"


@guarded
async def test_a_frame_of_30_mebibytes_ends_the_connection(server):
    async with client(server) as wire:
        with suppress(ConnectionClosed):
            await wire.send("input_audio_buffer.append", audio="A" * 30 * MIB)
        assert await wire.closed() == (1009, None)


@guarded
async def test_a_text_that_is_no_utf8_ends_the_connection(server):
    async with client(server) as wire:
        await wire.socket.send(b'{"type": "\xff"}', text=True)
        assert await wire.closed() == (1007, None)


UPGRADE = "GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
FAULTY = {
    "half a clip": "POST /clips?name=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    "half a token": "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    "no HTTP": "hello\r\n\r\n",
    "no key": f"{UPGRADE}\r\n",
    "half a key": f"{UPGRADE}{KEY.replace('AA==', '')}\r\n",
    "another version": f"{UPGRADE}{KEY.replace('13', '7')}\r\n",
    "no UTF-8": f"{UPGRADE}{KEY}\r\n\x81\x81\0\0\0\0\xff",
    "a broken frame": f"{UPGRADE}{KEY}\r\n\xff\xff\xff\xff\xff\xff",
    "half a frame": f"{UPGRADE}{KEY}\r\n\x81\xfe\x10\0abcd",
    "a close in the middle of a message": f"{UPGRADE}{KEY}\r\n\x01\x81\0\0\0\0x\x88\x80\0\0\0\0",
}  # fmt: skip


async def test_a_clients_fault_is_no_news(serve, capfd):
    """The operator is told nothing: there is nothing to do about it."""
    server = serve("--model", "echo", "--voice", "tone")
    for name, said in FAULTY.items():
        with socket.create_connection(("127.0.0.1", server.port)) as faulty:
            faulty.sendall(said.replace("localhost", f"localhost:{server.port}").encode("latin-1"))
            await asyncio.sleep(0.2)
        assert capfd.readouterr().err == "", name
    await until(lambda: free(server) == 10)
    assert server.stop() == 0 and capfd.readouterr().err == ""


@guarded
async def test_a_sample_may_be_split_between_two_frames(server):
    async with client(server) as wire:
        await wire.detect(None)
        for n_bytes in (4_801, 4_799):
            await wire.send("input_audio_buffer.append", audio=base64.b64encode(bytes(n_bytes)).decode())
        await wire.send("input_audio_buffer.commit")
        await wire.until("input_audio_buffer.committed")
        assert not [e for e in wire.events if e["type"] == "error"]


@guarded
async def test_a_second_response_is_refused_and_the_first_goes_on(server):
    async with client(server) as wire:
        await wire.write("what is 7 times 8")
        for number in range(3):
            await wire.send("response.create", event_id=f"again {number}")
        await wire.until("response.done")
        await wire.served()
        refused = [e["error"] for e in wire.events if e["type"] == "error"][:3]
        assert {e["code"] for e in refused} == {"conversation_already_has_active_response"}
        assert [e["event_id"] for e in refused] == ["again 0", "again 1", "again 2"]
        of = {kind: [e["response"] for e in wire.events if e["type"] == kind]
              for kind in ("response.created", "response.done")}  # fmt: skip
        assert len(of["response.created"]) == 1
        assert [(r["id"], r["status"]) for r in of["response.done"]] == [(of["response.created"][0]["id"], "completed")]


@guarded
async def test_truncating_beyond_the_end_cuts_at_the_end(server):
    async with client(server) as wire:
        await wire.write("what is 7 times 8")
        (answer,) = (await wire.until("response.done"))["response"]["output"]
        for audio_end_ms in (10**9, 10**400, -5):
            await wire.send(
                "conversation.item.truncate", item_id=answer["id"], content_index=0, audio_end_ms=audio_end_ms
            )
            told = await wire.until("conversation.item.truncated")
            assert (told["item_id"], told["content_index"]) == (answer["id"], 0)
            sent = sum(len(e["delta"]) * 3 / 4 / 48 for e in wire.events if e["type"] == "response.output_audio.delta")
            assert told["audio_end_ms"] == (0 if audio_end_ms < 0 else pytest.approx(sent, abs=5))
        assert not [e for e in wire.events if e["type"] == "error"]


@guarded
async def test_a_client_that_sends_much_at_once_and_reads_is_kept(server):
    """As one that replays a long conversation after a reconnect."""
    count = 3_000
    async with client(server) as wire:
        text = item(content=[{"type": "input_text", "text": "hello"}])

        async def send():
            for _ in range(count):
                await wire.socket.send(text)

        async with asyncio.TaskGroup() as both:
            both.create_task(send())
            for _ in range(2 * count):
                await wire.next()


@guarded
@pytest.mark.parametrize("moment", ["speaking", "answering"])
async def test_one_that_vanishes_gives_its_seat_back(server, moment):
    before = free(server)
    async with client(server) as wire:
        assert free(server) == before - 1
        if moment == "speaking":
            await wire.send("input_audio_buffer.append", audio=SPEECH)
            await wire.until("input_audio_buffer.speech_started")
        else:
            await wire.write("repeat 1 2 3 4 5 6 7 8")
            await wire.until("response.created")
        wire.socket.transport.abort()
        await until(lambda: free(server) == before, 3)


async def test_it_tells_how_it_is(server):
    assert fetch(server, "/healthz") == (200, '{"status":"ok"}')
    status, told = fetch(server, "/readyz")
    assert (status, json.loads(told)) == (200, {"status": "ready", "models": ["mini"], "seats": 10, "free": 10})
    async with client(server) as wire:
        await wire.write("what is 7 times 8")
        await wire.until("response.done")
        assert free(server) == 9
        _, told = fetch(server, "/metrics")
    figures = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert float(figures["voicechat_sessions"]) == 1
    for name in (
        "sessions_opened_total", 'turns_total{outcome="completed"}', "first_audio_seconds_count",
        "sent_bytes_total", "received_bytes_total", "outbox_depth_count", "audio_ahead_seconds_count",
        "process_resident_memory_bytes",
    ):  # fmt: skip
        assert float(figures[f"voicechat_{name}"]) > 0, name
    assert "voicechat_event_loop_lag_seconds" in figures


@guarded
async def test_compression_is_off_and_the_sub_protocol_is_chosen(server):
    async with client(server, compression="deflate", subprotocols=["other", "realtime"]) as wire:
        assert wire.socket.protocol.extensions == []
        assert wire.socket.subprotocol == "realtime"


@guarded
async def test_only_its_own_pages_may_connect(server):
    for origin in ("https://example.org", "http://localhost:1", "null", "file://"):
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    for name in ("evil.org", "127.evil.org", "localhost.evil.org"):  # whose DNS names this machine
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, origin=f"http://{name}:{server.port}", host=name):
                pass
        assert refused.value.response.status_code == 403
    async with client(server, origin=server.url) as wire:
        await wire.served()


async def test_the_door(serve):
    """Two seats, one an address, for those with the token."""
    server = serve("--model", "echo", "--voice", "tone", "--seats", "2", "--per-address", "1", "--token", "T.1")
    token = {"additional_headers": {"Authorization": "Bearer T.1"}}
    elsewhere = {"local_addr": ("127.0.0.2", 0)}, {"local_addr": ("127.0.0.3", 0)}
    browser = {"subprotocols": ["realtime", "openai-insecure-api-key.T.1"]}

    async def refused(**options):
        async with client(server, **options) as wire:
            close, code = await wire.closed()
            message = wire.events[-1]["error"]["message"]
            assert "\n" not in message and ":" in message
            return code, close

    for wrong in (
        {}, {"additional_headers": {"Authorization": "Bearer t.1"}}, {"additional_headers": {"Authorization": "T.1"}},
        {"additional_headers": {"Authorization": "Bearer " + "é" * 9}},
        {"subprotocols": ["realtime", "openai-insecure-api-key.T.12"]},
    ):  # fmt: skip
        assert await refused(**wrong) == ("invalid_api_key", 1008)
    async with client(server, **token) as first:
        assert await refused(**token) == ("too_many_sessions", 1013)
        async with client(server, **browser, **elsewhere[0]) as second:
            assert second.socket.subprotocol == "realtime"
            status, told = fetch(server, "/readyz")
            assert (status, json.loads(told)["status"]) == (503, "full")
            assert await refused(**token, **elsewhere[1]) == ("server_full", 1013)
            await first.served()
            await second.served()
        await until(lambda: free(server) == 1)
        async with client(server, **token, **elsewhere[1]) as third:
            await third.served()
    assert fetch(server, "/metrics")[0] == 401
    _, told = fetch(server, "/metrics", Authorization="Bearer T.1")
    for reason, count in (("invalid_api_key", 6), ("too_many_sessions", 1), ("server_full", 1)):
        assert f'voicechat_refused_total{{reason="{reason}"}} {count}.0' in told


LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen. "


async def test_time_limits(serve):
    """Silence for 1.2 s ends a conversation, and 3 s do in any case, whether or not the client reads that."""
    server = serve("--model", "echo", "--voice", "tone", "--max-session-min", "0.05", "--idle-min", "0.02")
    begin = time.perf_counter()

    async def silent():
        async with client(server) as wire:
            assert await wire.closed() == (1000, "session_idle")
            assert 1 < time.perf_counter() - begin < 4

    async def talkative():
        async with client(server) as wire:
            with suppress(ConnectionClosed):
                while time.perf_counter() - begin < 10:
                    await wire.served()
                    await asyncio.sleep(0.2)
            assert await wire.closed() == (1001, "session_expired")
            assert 3 < time.perf_counter() - begin < 7

    async with reading_nothing(server) as port:
        await asyncio.gather(silent(), talkative())
        await until(lambda: not connected(server, port), 4)


async def test_nobody_waits_for_one_that_never_reads(server, serve):
    await asyncio.gather(losing_a_seat(server), leaving(serve("--model", "echo", "--voice", "tone")))


async def losing_a_seat(server):
    """Others are served meanwhile, and no connection is left over."""
    before, begin, waits = free(server), time.perf_counter(), []
    dropped = figure(server, "lagging_closed_total")
    async with client(server) as other, reading_nothing(server) as port:
        while free(server) < before - 1 and time.perf_counter() - begin < 20:
            waits.append(await other.served())
            await asyncio.sleep(0.1)
        assert free(server) == before - 1, "its seat is still taken"
        assert sorted(waits)[len(waits) // 2] < 0.1 and max(waits) < PROMPT_S
        assert figure(server, "lagging_closed_total") == dropped + 1
        await other.served()
        await until(lambda: not connected(server, port), 4)


async def leaving(server):
    """SIGTERM lets a sentence be finished, and then ends the process."""
    async with client(server) as wire, reading_nothing(server):
        await wire.write(LONG * 10)
        await wire.until("response.output_audio.delta")
        server.process.send_signal(signal.SIGTERM)
        await until(lambda: '"stopping"' in fetch(server, "/readyz")[1])
        async with client(server) as late:
            assert await late.closed() == (1001, "server_stopping")
        assert await wire.closed() == (1001, "server_stopping")
        (done,) = [e["response"] for e in wire.events if e["type"] == "response.done"]
        (answer,) = done["output"]
        said = answer["content"][0]["transcript"]
        assert done["status"] == "cancelled" and said.rstrip().endswith("fifteen.") and said.count("fifteen") < 4
        assert said == "".join(e["delta"] for e in wire.events if e["type"].endswith("audio_transcript.delta"))
        assert await exit_code(server, 12) == 0


async def exit_code(server, seconds):
    """None where it runs still."""
    with suppress(subprocess.TimeoutExpired):
        return await asyncio.to_thread(server.process.wait, seconds)
    return None


@asynccontextmanager
async def reading_nothing(server):
    """A client that wants megabytes and takes none. -> the port that it has."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", server.port))
    small.setblocking(False)
    async with client(server, sock=small, max_queue=1, ping_interval=None) as stuck:
        stuck.socket.transport.pause_reading()
        long = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "word " * 20_000}]}
        await stuck.send("conversation.item.create", item={"id": "long", **long})
        for _ in range(120):
            await stuck.send("conversation.item.retrieve", item_id="long")
        try:
            yield small.getsockname()[1]
        finally:
            stuck.socket.transport.abort()


def figure(server, name):
    (line,) = re.findall(rf"^voicechat_{name} (.+)$", fetch(server, "/metrics")[1], re.MULTILINE)
    return float(line)


def connected(server, port):
    """Whether the server holds the other end of a connection from this port."""
    table = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]
    ends = [line.split()[1:4] for line in table]
    return any(local.endswith(f":{server.port:04X}") and remote.endswith(f":{port:04X}") and state == "01"
               for local, remote, state in ends)  # fmt: skip
