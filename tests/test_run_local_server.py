"""The terminal program as a client of a server: the same conversation, and what it says when something is wrong."""

import asyncio
import contextlib
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as talk

import run_local
from streaming.audio import AudioChunk
from tests.pulse import pulse
from tests.speech import say, silence
from voicechat.conversation import Clip
from voicechat.errors import ConfigError
from voicechat.events import Asked, Interrupted, Spoken, TextDelta, TurnEnded, TurnStarted
from voicechat.terminal import server as terminal_server
from voicechat.terminal.remote import RemoteSession
from voicechat.terminal.server import Server, realtime_url

ROOT = Path(__file__).parent.parent
WITH_EXTRAS = "/v1/realtime?extras=1"


@pytest.fixture
def record(tmp_path):
    """A recording of this: text is spoken, numbers are seconds of silence."""

    def record_(name, *pieces, rate=16_000):
        sound = np.concatenate([silence(p) if isinstance(p, float) else 0.5 * say(p) for p in pieces])
        soundfile.write(tmp_path / name, sound, rate)
        return tmp_path / name

    return record_


@pytest.fixture
def run(capsys):
    """Runs the program in this process: exit code, lines of stdout, lines of stderr."""

    def run_(*arguments):
        capsys.readouterr()
        code = run_local.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out.splitlines(), err.splitlines()

    return run_


async def start(*arguments, env=None):
    return await asyncio.create_subprocess_exec(
        sys.executable, "run_local.py", *map(str, arguments), cwd=ROOT, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def logged(path, kind=None):
    """The events so far, of that type."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [e for e in events if kind in (None, e["type"])]


async def until(happened, process, seconds=30):
    async with asyncio.timeout(seconds):
        while not happened():
            assert process.returncode is None, await process.communicate()
            await asyncio.sleep(0.05)


class Relay:
    """Stands between a client and a server, and notes what goes by. `see` may act on what the server says."""

    def __init__(self, server, see=None):
        self.wire, self.see = server.wire, see
        self.sent, self.told = [], []

    async def __aenter__(self):
        self.listening = await listen(self._carry, "localhost", 0)
        self.url = f"ws://localhost:{self.listening.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.listening.close()
        await self.listening.wait_closed()

    async def _carry(self, client):
        async with connect(self.wire + "?" + client.request.path.partition("?")[2]) as server:

            async def up():
                with contextlib.suppress(ConnectionClosed):
                    async for text in client:
                        self.sent.append(json.loads(text))
                        await server.send(text)
                await server.close()

            upwards = asyncio.create_task(up())
            with contextlib.suppress(ConnectionClosed):
                async for text in server:
                    self.told.append(json.loads(text))
                    if self.see is not None:
                        await self.see(self.told[-1], client, server)
                    await client.send(text)
            upwards.cancel()


# ---- the conversation -------------------------------------------------------------------------


def test_typed_and_spoken_turns_as_here(server, run, record, tmp_path):
    """The same command, here and there: the same answers, the same kinds of events."""
    first, second = record("a.wav", "what is seven times eight"), record("b.wav", "what is two plus three", 0.3)
    logs = {}
    for place, options in {"here": ("--model", "mini", "--greedy"), "there": ("--server", server.url)}.items():
        out, log = tmp_path / f"{place}.wav", tmp_path / f"{place}.jsonl"
        files = ("--input", first, second, "--output", out, "--events", log, "--fast")
        code, printed, err = run(*options, "--text", "what is two plus two", *files)
        assert (code, err) == (0, [])
        answers = [line for line in printed if line.startswith("voicechat: ")]
        words = ("four", "fifty-six", "five")
        assert len(answers) == 3 and all(word in answer for word, answer in zip(words, answers, strict=True))
        assert sum("voice to voice" in line for line in printed) == 2
        logs[place] = logged(log)

        spoken = [e for e in logs[place] if e["type"] == "spoken"]
        samples, rate = soundfile.read(out)
        assert len(samples) == sum(e["samples"] for e in spoken) and np.abs(samples).max() > 0.1
        assert rate == spoken[0]["rate"] and len(samples) / rate > 3
        said = ["".join(e["text"] for e in spoken if e["turn"] == turn).strip() for turn in (1, 2, 3)]
        assert said == [answer.removeprefix("voicechat: ") for answer in answers]

    here, there = logs["here"], logs["there"]
    assert {e["type"] for e in here} == {e["type"] for e in there}
    for kind in ("asked", "turn_started", "answered", "heard", "speech_segment"):
        assert [set(e) for e in here if e["type"] == kind] == [set(e) for e in there if e["type"] == kind]
    for mine, theirs in zip(*([e for e in log if e["type"] == "turn_ended"] for log in (here, there)), strict=True):
        assert [mine[k] for k in ("turn", "heard", "text")] == [theirs[k] for k in ("turn", "heard", "text")]
        assert {k for k, v in mine["timing"].items() if v} == {k for k, v in theirs["timing"].items() if v}
    # An answer has ended when all of its sound is here.
    assert max(i for i, e in enumerate(there) if e["type"] == "spoken") < [e["type"] for e in there].index(
        "turn_ended", len(there) - 3
    )


def test_it_starts_quickly_and_without_the_model(server):
    said = ["--server", server.url, "--text", "hi", "--fast"]
    code = f"import sys, run_local; run_local.main({said}); sys.exit('torch' in sys.modules)"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Hello" in done.stdout and not done.stderr
    assert time.monotonic() - began < 3  # 0.5 s on a machine that does nothing else


def test_attached_clips(server, run, record):
    clip = record("clip.wav", "what is seven times eight")
    code, out, err = run("--server", server.url, "--fast", "--attach", clip, "--text", "what do you hear")
    assert (code, err) == (0, []) and "voicechat: Seven times eight is fifty-six." in out
    code, out, err = run("--server", server.url, "--fast", "--attach", clip)
    assert (code, err) == (0, []) and "voicechat: Seven times eight is fifty-six." in out
    code, out, err = run("--server", server.url, "--fast", "--attach", record("none.wav", 1.0), "--input", clip)
    assert (code, err) == (0, []) and len([line for line in out if line.startswith("voicechat: ")]) == 1


def test_a_long_recording_with_pauses_is_one_turn(server, run, record):
    question = record("q.wav", 7.0, "what is four plus", 1.5, "five", 7.0)
    code, out, err = run("--server", server.url, "--fast", "--input", question)
    assert (code, err) == (0, []) and len([line for line in out if "voice to voice" in line]) == 1
    assert "you: what is four plus five" in out


def test_no_speech_is_said_and_is_no_error(server, run, record):
    code, out, err = run("--server", server.url, "--fast", "--input", record("none.wav", 2.0))
    assert code == 0 and out == [] and len(err) == 1 and "no speech was heard in" in err[0]


async def test_an_interruption_leaves_what_was_heard(server, record, tmp_path):
    """In real time: the second question comes while the first is being answered."""
    question = record("q.wav", "who are you", 1.9, "what is seven times eight", 0.3)
    out, log, kept = tmp_path / "out.wav", tmp_path / "log.jsonl", []

    async def see(told, _, server):
        if told["type"] == "conversation.item.truncated":
            await server.send(json.dumps({"type": "conversation.item.retrieve", "item_id": told["item_id"]}))
        if told["type"] == "conversation.item.retrieved":
            kept.append(told["item"]["content"][0]["transcript"])

    async with Relay(server, see) as relay:
        process = await start("--server", relay.url, "--input", question, "--output", out, "--events", log)
        printed, complained = await process.communicate()
    assert process.returncode == 0 and complained == b""
    assert b"fifty-six" in printed and b"interrupted after" in printed

    events = logged(log)
    cut = next(e for e in events if e["type"] == "interrupted")
    answer = next(e["text"] for e in events if e["type"] == "answered")
    assert cut["text"] and answer.startswith(cut["text"].strip()) and cut["text"].strip() != answer.strip()
    # The server knows to a few ms when a word is over, the client to the length of a delta.
    assert len(kept) == 1 and answer.startswith(kept[0]) and kept[0].startswith(cut["text"].strip())
    assert len(kept[0].split()) - len(cut["text"].split()) in (0, 1) and kept[0] != answer.strip()
    truncated = [e for e in relay.sent if e["type"] == "conversation.item.truncate"]
    assert [e["audio_end_ms"] for e in truncated] == [round(cut["heard_s"] * 1000)]

    second_s = sum(e["samples"] for e in events if e["type"] == "spoken" and e["turn"] == 2) / 24_000
    assert soundfile.info(out).duration - second_s == pytest.approx(cut["heard_s"], abs=0.05)

    appended = [e for e in relay.sent if e["type"] == "input_audio_buffer.append"]
    lengths = [len(e["audio"]) * 3 / 4 / 48_000 for e in appended]
    assert max(lengths) < 0.045 and np.mean(lengths) > 0.018
    reports = [e["audio_ms"] for e in relay.sent if e["type"] == "voicechat.played" and e["item_id"] != "none"]
    second = reports[next(i for i in range(1, len(reports)) if reports[i] < reports[i - 1]) :]
    assert len(second) > 3 and np.diff(second).max() < 400 and second[-1] == pytest.approx(second_s * 1000, abs=2)


@pytest.mark.alone
async def test_by_microphone_and_loudspeaker(server, record, tmp_path):
    """Who speaks while it answers hears silence, and then the answer to what was said."""
    first, second = record("a.wav", "who are you", 0.3), record("b.wav", "what is seven times eight", 0.3)
    log, played = tmp_path / "log.jsonl", tmp_path / "played.wav"
    with pulse(tmp_path / "sound") as devices, devices.recording(played):
        process = await start("--server", server.url, "--events", log, env=devices.env)
        assert b"headphones" in await process.stdout.readline()
        await asyncio.sleep(1)  # the microphone opens a moment later
        await asyncio.to_thread(devices.play, first)
        await until(lambda: logged(log, "spoken"), process)
        await asyncio.sleep(0.9)  # let some of the answer be heard: who speaks at once had not finished his question
        await asyncio.to_thread(devices.play, second)
        await until(lambda: len(logged(log, "turn_ended")) == 2, process)
        await asyncio.sleep(2.5)
        process.send_signal(signal.SIGINT)
        printed, complained = await process.communicate()
    assert process.returncode == 0 and complained == b"" and b"fifty-six" in printed
    (cut,) = logged(log, "interrupted")
    seconds = [sum(e["samples"] for e in logged(log, "spoken") if e["turn"] == turn) / 24_000 for turn in (1, 2)]
    assert 0.2 < cut["heard_s"] < seconds[0]
    samples, rate = soundfile.read(played)
    loud = [np.abs(samples[at : at + rate // 100]).max() > 0.01 for at in range(0, len(samples), rate // 100)]
    edges = np.flatnonzero(np.diff(np.int8(loud))) / 100
    begins, ends = edges[0::2], edges[1::2]
    silence_at = np.argmax(begins[1:] - ends[:-1])  # the longest: between the two answers
    assert ends[silence_at] - begins[0] == pytest.approx(cut["heard_s"], abs=0.4)
    assert ends[-1] - begins[silence_at + 1] == pytest.approx(seconds[1], abs=0.4)


async def test_a_typed_turn_interrupts(server):
    """The surface that a program may use: what is typed while an answer plays stops it."""
    session = RemoteSession(Server(server.wire + "?extras=1"))
    typed = asyncio.Event()

    async def microphone():
        await session.ask("who are you")
        while not typed.is_set():
            yield AudioChunk(np.zeros(320, np.float32), 16_000)
            await asyncio.sleep(0.02)
        await session.ask("what is two plus two", [Clip(say("seven"))])

    events, heard_s = [], 0.0
    async for event in session.talk(microphone()):
        events.append(event)
        if isinstance(event, Spoken) and event.turn == 1 and not typed.is_set():
            heard_s += len(event.samples) / event.rate
            await session.played(1, heard_s)
            if heard_s > 0.8:
                typed.set()
    cut = next(e for e in events if isinstance(e, Interrupted))
    assert cut.heard_s == pytest.approx(heard_s, abs=0.002) and cut.text
    assert [e.text for e in events if isinstance(e, Asked)] == ["who are you", "what is two plus two"]
    assert [e.turn for e in events if isinstance(e, TurnStarted)] == [1, 2]
    ended = [e for e in events if isinstance(e, TurnEnded)]
    assert ended[-1].turn == 2 and "".join(e.text for e in events if isinstance(e, TextDelta) and e.turn == 2)
    assert events.index(cut) < next(i for i, e in enumerate(events) if isinstance(e, Spoken) and e.turn == 2)


async def test_ctrl_c_leaves_a_valid_file_and_the_seat(server, tmp_path):
    out = tmp_path / "answer.wav"
    process = await start("--server", server.url, "--text", "tell me a joke", "--output", out)
    await until(lambda: out.exists() and out.stat().st_size > 10_000, process)
    process.send_signal(signal.SIGINT)
    _, complained = await process.communicate()
    assert process.returncode == 130 and complained == b""
    assert out.stat().st_size == 44 + 2 * soundfile.info(out).frames
    for _ in range(50):
        ready = await asyncio.to_thread(lambda: json.load(urllib.request.urlopen(f"{server.url}/readyz")))
        if ready["free"] == ready["seats"]:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the server holds a seat for nobody: {ready}")


# ---- what is wrong is said in one line --------------------------------------------------------


def refused(result, *words, code=2):
    """This exit code, and one line that holds these words."""
    found, _, err = result
    assert found == code and len(err) == 1 and err[0].startswith("run_local.py: "), result
    for word in words:
        assert str(word) in err[0], (word, err[0])


HI = ("--text", "hi", "--fast")


def test_no_server(run):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        port = taken.getsockname()[1]
        refused(
            run("--server", f"ws://localhost:{port}", *HI), f"no server is at ws://localhost:{port}", "python -m web"
        )
        refused(run("--server", f"ws://127.0.0.1:{port}", *HI), "no server is at", "python -m web")
    refused(run("--server", "ws://no-such-machine.invalid", *HI), "no machine called 'no-such-machine.invalid'")


def test_another_kind_of_server(run, monkeypatch):
    class Website(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Website) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        refused(run("--server", f"http://localhost:{other.server_port}", *HI), "no voicechat server", "HTTP 404")
        other.shutdown()
    monkeypatch.setattr(terminal_server, "OPEN_S", 0.3)
    with socket.create_server(("localhost", 0)) as silent:
        url = f"ws://localhost:{silent.getsockname()[1]}"
        refused(run("--server", url, *HI), f"{url} does not answer")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ([], "says nothing, so it is no voicechat server"),
        (["hello"], "speaks another language"),
        (['{"type": "welcome"}'], "says nothing, so it is no voicechat server"),
        (
            [
                '{"type": "session.created", "session": {"model": "x"}}',
                '{"type": "error", "error": {"event_id": "voicechat.played", "message": "?"}}',
            ],
            "no extras",
        ),
    ],
)
async def test_a_websocket_of_another_kind(monkeypatch, says, words):
    async def speak(client):
        for text in says:
            await client.send(text)
        await client.wait_closed()

    monkeypatch.setattr(terminal_server, "OPEN_S", 0.3)
    async with listen(speak, "localhost", 0) as other:
        url = f"ws://localhost:{other.sockets[0].getsockname()[1]}"
        with pytest.raises(ConfigError, match=words):
            await Server.of(url, None, None, None, None, None).open()


def test_a_voice_and_a_model_that_the_server_has_not(server, run):
    refused(run("--server", server.url, *HI, "--voice", "espek"), "no voice is called 'espek'")
    refused(run("--server", server.url, *HI, "--model", "maxi"), "no model 'maxi'", "'mini' answers")
    wanted = ("--model", "mini", "--voice", "tone", "--instructions", "Be brief.")
    code, out, err = run("--server", server.url, *HI, *wanted)
    assert (code, err) == (0, []) and out[1].startswith("voicechat: ")


def test_a_token_one_seat_tls_and_a_server_that_stops(serve, run, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs"))
    door = serve("--model", "echo", "--voice", "tone", "--tls", "--token", "sesame", "--seats", "1")
    made = tmp_path / "theirs" / "voicechat" / "tls" / "certificate.pem"
    at = ("--server", door.url)
    refused(run(*at, *HI), "this server wants a token", "--token", "VOICECHAT_TOKEN")
    refused(run(*at, *HI, "--token", "simsalabim"), "this server wants a token")
    code, out, err = run(*at, *HI, "--token", "sesame")  # the certificate was made on this machine
    assert (code, err) == (0, []) and out[1] == "voicechat: You wrote: hi."

    monkeypatch.setenv("VOICECHAT_TOKEN", "sesame")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "ours"))
    refused(run(*at, *HI), "is not trusted", "--certificate certificate.pem")
    refused(run(*at, *HI, "--certificate", tmp_path / "no.pem"), "no.pem cannot be read")
    (tmp_path / "bad.pem").write_text("this is no certificate")
    refused(run(*at, *HI, "--certificate", tmp_path / "bad.pem"), "bad.pem holds no certificate")
    assert run(*at, *HI, "--certificate", made)[0] == 0
    refused(run("--server", door.url.replace("https", "ws"), *HI), "or one with TLS: try --server wss://")

    trusted = Server.of(door.url, None, made, None, None, None).trusted()
    with talk(door.wire, ssl=trusted, additional_headers={"Authorization": "Bearer sesame"}) as another:
        another.recv()
        refused(run(*at, *HI, "--certificate", made), "somebody else is talking to this server")

    log = tmp_path / "log.jsonl"  # and at last the server stops, in mid-conversation
    turns = [word for text in ("one two", "three", "four") for word in ("--text", text)]
    files = ("--output", tmp_path / "out.wav", "--events", log)
    process = subprocess.Popen(
        [sys.executable, "run_local.py", *map(str, (*at, "--certificate", made, *turns, *files))], cwd=ROOT,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not logged(log, "spoken"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    door.stop()
    out, err = process.communicate(timeout=30)
    refused((process.returncode, out, err.splitlines()), "the server is being stopped: come back", code=1)


def test_tls_where_there_is_none(server, run):
    refused(run("--server", server.url.replace("http", "wss"), *HI), "speaks no TLS", "try --server ws://")


async def test_a_connection_that_is_lost(server, tmp_path):
    """Cut in the middle of the second answer."""
    log = tmp_path / "log.jsonl"

    async def see(told, client, _):
        if told["type"] == "response.output_audio.delta":
            turns = [e for e in relay.told if e["type"] == "response.created"]
            if len(turns) == 2:
                client.transport.abort()

    async with Relay(server, see) as relay:
        process = await start("--server", relay.url, "--text", "hi", "--text", "who are you", "--fast", "--events", log)
        printed, complained = await process.communicate()
    lines = complained.decode().splitlines()
    assert process.returncode == 1 and len(lines) == 1, lines
    assert f"the connection to {relay.url} was lost: the answer to turn 2 is not complete" in lines[0]
    assert b"Hello" in printed and [e["turn"] for e in logged(log) if e["type"] == "turn_ended"] == [1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--server localhost:7860", "did you mean --server ws://localhost:7860?"),
        ("--server ftp://host", "is no address"),
        ("--server ws://host:99999", "is no address"),
        ("--server ws://", "is no address"),
        ("--server ws://h --device cpu", "--device is set where the model runs"),
        ("--server ws://h --greedy", "--greedy is set where"),
        ("--server ws://h --seed 0", "--seed is set where"),
        ("--server ws://h --think", "--think is set where"),
        ("--token x", "add --server ws://HOST:PORT"),
        ("--certificate x", "add --server ws://HOST:PORT"),
        ("--server ws://h --certificate x", "--certificate is for TLS: give --server wss://h"),
        ("--server ws://h --token a\tb", "the token cannot be used"),
    ],
)
def test_options_that_cannot_be_meant(run, arguments, words):
    refused(run(*arguments.split(" "), *HI), words)


def test_an_attached_clip_that_no_server_takes(run, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8_000 * 400), 8_000)
    refused(run("--server", "ws://h", *HI, "--attach", tmp_path / "a.wav"), "a.wav", "6.7 min", "6 min of --attach")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("ws://localhost:7860", f"ws://localhost:7860{WITH_EXTRAS}"),
        ("http://localhost:7860/", f"ws://localhost:7860{WITH_EXTRAS}"),
        ("https://[::1]:7860/v1/realtime", f"wss://[::1]:7860{WITH_EXTRAS}"),
        ("wss://host/realtime/", "wss://host/realtime?extras=1"),
        ("wss://host/voice", f"wss://host/voice{WITH_EXTRAS}"),
        ("ws://host/v1/realtime?model=x&extras=0", "ws://host/v1/realtime?model=x&extras=1"),
    ],
)
def test_addresses(address, url):
    assert realtime_url(address) == url
    assert realtime_url(address, "a b").endswith("model=a+b&extras=1" if "model" in address else "extras=1&model=a+b")
