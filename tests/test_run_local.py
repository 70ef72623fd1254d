"""The terminal program as a user meets it: files, typed turns, what it writes, what it says when something is wrong."""

import asyncio
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import run_local
from streaming.audio import AudioChunk, chunks
from tests.speech import say, silence
from voicechat.events import Failed, Interrupted, Spoken, TextDelta, TurnEnded, TurnStarted
from voicechat.terminal import devices
from voicechat.terminal.display import METER, Live, Plain, meter, printable
from voicechat.terminal.queue import SoundQueue
from voicechat.terminal.recording import Recording
from voicechat.timing import Timing
from voicechat.turntaking import State

ROOT = Path(__file__).parent.parent
ECHO = ("--model", "echo", "--voice", "tone", "--fast")


@pytest.fixture
def question(tmp_path):
    path = tmp_path / "question.wav"
    soundfile.write(path, 0.5 * say("what is seven times eight"), 16_000)
    return path


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


def refused(result, *words):
    """Exit code 2, and one line that holds these words."""
    code, out, err = result
    assert code == 2 and out == [], (code, out, err)
    assert len(err) == 1 and err[0].startswith("run_local.py: "), err
    for word in words:
        assert str(word) in err[0], (word, err[0])


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "run_local.py", *map(str, arguments)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def test_typed_and_spoken_turns_as_one_command(tmp_path, question):
    """One start of the real program: several turns, an attached clip, a WAV and a log of events."""
    out, log = tmp_path / "answer.wav", tmp_path / "events.jsonl"
    log.write_text('{"type": "from before"}\n')
    attached = tmp_path / "attached.wav"
    soundfile.write(attached, np.zeros(48_000), 48_000)
    process = command(
        *ECHO, "--text", "hello", "--text", "a second one", "--attach", attached, "--input", question, question,
        "--output", out, "--events", log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    printed, complained = process.communicate(timeout=100)
    assert process.returncode == 0 and complained == ""
    lines = printed.splitlines()
    answers = [line for line in lines if line.startswith("voicechat: ")]
    assert len(answers) == 4 and len([line for line in lines if line.startswith("you: ")]) == 4
    assert answers[0] == "voicechat: I heard 1.0 seconds of sound. You wrote: hello."
    assert answers[1] == "voicechat: You wrote: a second one."
    assert all(answer.startswith("voicechat: I heard 1.") for answer in answers[2:])
    assert sum("voice to voice" in line for line in lines) == 2

    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events.pop(0) == {"type": "from before"}
    ended = [e for e in events if e["type"] == "turn_ended"]
    assert [e["turn"] for e in ended] == [1, 2, 3, 4]
    assert [f"voicechat: {e['text'].strip()}" for e in ended] == answers
    assert ended[2]["timing"]["voice_to_voice_ms"] > 400
    assert len([e for e in events if e["type"] == "speech_segment"]) == 2
    for turn in ended:
        deltas = [e["text"] for e in events if e["type"] == "text_delta" and e["turn"] == turn["turn"]]
        assert "".join(deltas) == turn["text"]

    samples, rate = soundfile.read(out, dtype="int16")
    assert soundfile.info(out).subtype == "PCM_16" and rate == 16_000
    assert len(samples) == sum(e["samples"] for e in events if e["type"] == "spoken")
    words = sum(len(a.split()) - 1 for a in answers)
    assert len(samples) == words * 1280 and np.abs(samples).max() > 8_000


def test_paced_it_takes_real_time_and_an_interruption_leaves_a_valid_file(tmp_path, question):
    out = tmp_path / "answer.wav"
    process = command("--model", "echo", "--voice", "tone", "--output", out, "--text", "word " * 200)
    deadline = time.monotonic() + 90
    while not (out.exists() and out.stat().st_size > 20_000):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 130 and complained == ""
    with wave.open(str(out)) as file:
        assert 0.5 < file.getnframes() / file.getframerate() < 15.9
        assert out.stat().st_size == 44 + 2 * file.getnframes()


def test_a_reader_that_leaves_is_no_error(question):
    process = command(*ECHO, "--text", "hello", "--text", "again")
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(60) == 0


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(16_000, 1, "PCM_U8"), (48_000, 2, "PCM_24"), (96_000, 1, "FLOAT"), (44_100, 2, "PCM_16"), (8_000, 1, "PCM_16")],
)
def test_any_recording(run, tmp_path, rate, channels, subtype):
    path = tmp_path / "question.wav"
    sound = soxr.resample(0.5 * say("what is seven times eight"), 16_000, rate)
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate, subtype=subtype)
    code, out, err = run(*ECHO, "--input", path)
    assert (code, err) == (0, []) and [line.split(":")[0] for line in out[:2]] == ["you", "voicechat"]


def test_a_recording_with_pauses_is_one_turn(run, tmp_path):
    path = tmp_path / "question.wav"
    sound = [0.5 * say("what is four plus"), silence(1.5), 0.5 * say("five"), silence(2.0)]
    soundfile.write(path, np.concatenate(sound), 16_000)
    code, out, err = run(*ECHO, "--input", path)
    assert (code, err) == (0, []) and len(out) == 3
    seconds = float(out[1].split()[3])
    assert 2.8 < seconds < 4.0


def test_no_speech_is_said_and_is_no_error(run, tmp_path, question):
    rng = np.random.default_rng(0)
    for name, samples in {"nothing.wav": np.zeros(16_000), "noise.wav": 0.05 * rng.standard_normal(32_000)}.items():
        soundfile.write(tmp_path / name, samples, 16_000)
    code, out, err = run(*ECHO, "--input", tmp_path / "nothing.wav", tmp_path / "noise.wav", question)
    assert code == 0 and len(out) == 3
    assert [line.split(": ")[1].split(" in ")[0] for line in err] == ["no speech was heard"] * 2
    assert "nothing.wav" in err[0] and "noise.wav" in err[1]


def test_a_clip_alone_and_a_clip_with_a_spoken_turn(run, tmp_path, question):
    soundfile.write(tmp_path / "clip.flac", np.zeros(22_050 * 2), 22_050)
    code, out, _ = run(*ECHO, "--attach", tmp_path / "clip.flac")
    assert code == 0 and out[1] == "voicechat: I heard 2.0 seconds of sound."
    code, out, _ = run(*ECHO, "--attach", tmp_path / "clip.flac", "--input", question)
    assert code == 0 and out[1].startswith("voicechat: I heard 2.0 seconds of sound. I heard ")


def test_a_microphone_that_stops_in_mid_speech_is_answered(run, monkeypatch, tmp_path):
    answered = []

    async def microphone(*_):
        for chunk in chunks(AudioChunk(np.concatenate([silence(0.3), 0.5 * say("what is seven times eight")]), 16_000)):
            yield chunk
            await asyncio.sleep(chunk.seconds)
        await asyncio.sleep(2.5)
        answered.append("turn_started" in (tmp_path / "events.jsonl").read_text())

    monkeypatch.setattr(devices, "choose", lambda *_: 0)
    monkeypatch.setattr(run_local, "listen", microphone)
    code, _, _ = run("--model", "echo", "--voice", "tone", "--output", tmp_path / "said.wav", "--events",
                     tmp_path / "events.jsonl")  # fmt: skip
    assert code == 0 and answered == [True]


def test_a_failed_turn_is_one_line_and_the_next_is_answered(run, monkeypatch):
    from voicechat.echo import EchoMemory
    from voicechat.errors import ModelError

    reply = EchoMemory.reply

    def failing(self, messages):
        if "first" in messages[-1].text:
            raise ModelError("the model is out of memory: send a shorter clip")
        return reply(self, messages)

    monkeypatch.setattr(EchoMemory, "reply", failing)
    code, out, err = run(*ECHO, "--text", "first", "--text", "second")
    assert code == 1 and err == ["run_local.py: the model is out of memory: send a shorter clip"]
    assert "voicechat: You wrote: second." in out


# ---- what cannot be used is refused before anything is loaded ---------------------------------


@pytest.fixture
def unloaded(run, monkeypatch):
    def load(*_):
        pytest.fail("something was loaded")

    monkeypatch.setattr(run_local, "VoiceChat", load)
    return run


def test_recordings_that_cannot_be_heard(unloaded, tmp_path, question):
    whole = question.read_bytes()
    files = {
        "text.wav": b"this is not sound\n" * 100,
        "empty.wav": b"",
        "cut.wav": whole[: len(whole) // 2],
        "header.wav": whole[:44],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    with (tmp_path / "long.wav").open("wb") as raw, wave.open(raw, "wb") as file:
        file.setparams((1, 1, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(40 * 60 * 8_000))
    for name, words in {
        "text.wav": "cannot be read as audio", "empty.wav": "is empty", "cut.wav": "is truncated", "header.wav": "",
        "nan.wav": "NaN", "long.wav": "40 min", "missing.wav": "there is no file", ".": "is a folder",
    }.items():  # fmt: skip
        refused(unloaded(*ECHO, "--input", question, tmp_path / name), tmp_path / name, words)
    refused(unloaded(*ECHO, "--attach", tmp_path / "cut.wav"), "is truncated")


def test_files_that_cannot_be_written(unloaded, tmp_path, question):
    said = (*ECHO, "--input", question)
    refused(unloaded(*said, "--output", tmp_path / "no" / "a.wav"), "there is no folder", tmp_path / "no")
    refused(unloaded(*said, "--output", tmp_path), "is a folder", tmp_path / "answer.wav")
    refused(unloaded(*said, "--output", question), "would overwrite")
    refused(unloaded(*said, "--events", tmp_path / "no" / "e.jsonl"), "there is no folder")
    refused(unloaded(*said, "--output", tmp_path / "x", "--events", tmp_path / "x"), "two names")
    assert question.stat().st_size > 1000


def test_what_cannot_be_heard_leaves_no_empty_files(unloaded, tmp_path):
    """The second time is like the first."""
    for _ in range(2):
        files = ("--output", tmp_path / "o.wav", "--events", tmp_path / "e.jsonl")
        refused(unloaded(*ECHO, "--input", tmp_path / "none.wav", *files), "there is no file")
        refused(unloaded(*ECHO, "--attach", tmp_path / "none.wav", *files), "there is no file")
        assert not list(tmp_path.iterdir())


def test_with_any_error_nothing_is_made_or_touched(run, tmp_path, question, monkeypatch):
    (tmp_path / "old.wav").write_bytes(question.read_bytes())
    (tmp_path / "old.jsonl").write_text("{}\n")
    (tmp_path / "cut.wav").write_bytes(question.read_bytes()[:999])
    monkeypatch.setattr("voicechat.terminal.server.OPEN_S", 1.0)
    before = sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.iterdir())
    for old in ("old", "new"):
        files = ("--output", tmp_path / f"{old}.wav", "--events", tmp_path / f"{old}.jsonl", "--fast")
        refused(run("--model", "no/such", "--input", question, *files), "no model")
        refused(run("--model", "echo", "--voice", "espek", "--input", question, *files), "no voice")
        refused(run("--model", "echo", "--input", question, tmp_path / "cut.wav", *files), "is truncated")
        refused(run("--model", "echo", "--input", question, "--seed", "x", *files), "--seed")
        refused(run("--server", "ws://127.0.0.1:9", "--input", question, *files), "no server is at")
        refused(run("--server", "ws://no.such.host.invalid", "--input", question, *files), "")
        refused(run("--server", "wss://127.0.0.1:9", "--certificate", question, "--input", question, *files),
                "holds no certificate")  # fmt: skip
        refused(run("--model", "echo", "--input", question, *files[:-1], tmp_path / "x" / "y"), "stands alone")
    assert sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.iterdir()) == before


def test_one_file_by_two_names(unloaded, tmp_path, question, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "soft.wav").symlink_to("new.wav")
    (tmp_path / "link.wav").symlink_to(question.name)
    (tmp_path / "hard.wav").hardlink_to(question)
    (tmp_path / "there").symlink_to("folder")
    monkeypatch.chdir(tmp_path)
    said = (*ECHO, "--input", question)
    for name in ("link.wav", "hard.wav", "folder/../question.wav"):
        refused(unloaded(*said, "--output", name), "would overwrite the recording", name)
        refused(unloaded(*said, "--events", name), "would overwrite the recording", name)
    for one, other in (("new.wav", "soft.wav"), ("folder/x", "there/x"), ("x", tmp_path / "folder" / ".." / "x")):
        refused(unloaded(*said, "--output", one, "--events", other), "give them two names")
    server = ("--server", "wss://127.0.0.1:9", "--input", question, "--certificate", tmp_path / "c.pem")
    (tmp_path / "c.pem").write_text("x")
    refused(unloaded(*server, "--output", "c.pem"), "would overwrite the certificate")
    assert {p.name for p in tmp_path.iterdir()} == {
        "folder", "soft.wav", "link.wav", "hard.wav", "there", "question.wav", "c.pem"
    }  # fmt: skip


def test_places_where_nothing_can_be_written(unloaded, tmp_path, question, monkeypatch):
    said = (*ECHO, "--input", question)
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "no" / "a.wav")
    (tmp_path / "round").symlink_to("round")
    os.mkfifo(tmp_path / "pipe")
    for option in ("--output", "--events"):
        refused(unloaded(*said, option, tmp_path / "nowhere.wav"), "there is no folder", tmp_path / "no")
        refused(unloaded(*said, option, tmp_path / "round"), "cannot be written", "choose another place")
        refused(unloaded(*said, option, tmp_path / ("x" * 300)), "File name too long")
        refused(unloaded(*said, option, question / "a.wav"), "there is no folder")
    refused(unloaded(*said, "--output", tmp_path / "pipe"), "no file that can be gone back in")
    monkeypatch.setattr("os.access", lambda path, mode: not str(tmp_path).startswith(str(path)))  # root may do all
    refused(unloaded(*said, "--output", tmp_path / "a.wav"), "nothing may be made in", tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_no_conversation(run, tmp_path, question):
    """What cannot be kept is said once; everything else is as it should be."""
    out, log = tmp_path / "a.wav", tmp_path / "e.jsonl"
    said = (*ECHO, "--input", question, "--text", "hello")
    code, printed, err = run(*said, "--output", "/dev/full", "--events", log)
    assert code == 1 and len(err) == 1 and "--output /dev/full cannot be written (No space left on device)" in err[0]
    assert len([line for line in printed if line.startswith("voicechat: ")]) == 2
    assert [json.loads(line)["type"] for line in log.read_text().splitlines()].count("turn_ended") == 2
    code, printed, err = run(*said, "--output", out, "--events", "/dev/full")
    assert code == 1 and len(err) == 1 and "--events /dev/full cannot be written (No space left on device)" in err[0]
    assert len([line for line in printed if line.startswith("voicechat: ")]) == 2
    assert soundfile.info(out).frames > 10_000
    code, _, err = run(*said, "--output", "/dev/full", "--events", "/dev/full")
    assert code == 1 and len(err) == 2


def test_a_disk_that_fills_up_leaves_whole_files(tmp_path):
    """As much of the answers as there was room for, and no half line."""
    import resource

    out, log = tmp_path / "a.wav", tmp_path / "e.jsonl"
    log.write_text('{"type": "before"}\n')
    process = command(
        *ECHO, "--text", "word " * 20, "--text", "more " * 20, "--output", out, "--events", log,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3_001, 3_001)),
    )  # fmt: skip
    printed, complained = process.communicate(timeout=100)
    assert process.returncode == 1
    assert sorted(line.split(" ")[1] for line in complained.splitlines()) == ["--events", "--output"], complained
    assert all("the conversation goes on" in line for line in complained.splitlines())
    assert len([line for line in printed.splitlines() if line.startswith("voicechat: ")]) == 2
    samples, rate = soundfile.read(out)
    assert rate == 16_000 and len(samples) == 1_280  # one word; the next had no room
    lines = log.read_text()
    assert lines.endswith("\n") and len([json.loads(line) for line in lines.splitlines()]) > 5


def test_a_folder_that_goes_before_the_conversation_begins(run, tmp_path, monkeypatch):
    from voicechat.chat import VoiceChat

    (tmp_path / "gone").mkdir()

    def load(config):
        (tmp_path / "gone").rmdir()
        return VoiceChat(config)

    monkeypatch.setattr(run_local, "VoiceChat", load)
    code, printed, err = run(*ECHO, "--text", "hello", "--output", tmp_path / "gone" / "a.wav")
    assert code == 1 and "voicechat: You wrote: hello." in printed
    assert len(err) == 1 and "--output" in err[0] and "No such file or directory" in err[0]


def test_no_sound_is_a_wav_without_sound(run, tmp_path):
    soundfile.write(tmp_path / "nothing.wav", np.zeros(16_000), 16_000)
    (tmp_path / "a.wav").write_text("old")
    code, _, _ = run(*ECHO, "--input", tmp_path / "nothing.wav", "--output", tmp_path / "a.wav")
    assert code == 0 and soundfile.info(tmp_path / "a.wav").frames == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--modle echo", "did you mean --model?"),
        ("--out=x.wav", "did you mean --output?"),
        ("question.wav", "did you mean --input question.wav?"),
        ("--device gpu", "'auto', 'cpu', 'cuda'"),
        ("--seed many", "--seed"),
        ("--output", "--output: expected one argument"),
        ("--server ws://127.0.0.1:1 --text x --seed 1", "--seed is set where the model runs"),
        ("--fast", "--fast is for files"),
        ("--text x --microphone 1", "leave out --microphone"),
        ("--text x --fast --loudspeaker 1", "leave out --loudspeaker"),
        ("--text=", "--text is empty"),
        ("--text=\u200b\ufeff", "--text is empty"),
        ("--latency 5", "10 to 2000 ms"),
    ],
)
def test_options_that_cannot_be_meant(unloaded, arguments, words):
    refused(unloaded(*arguments.split()), words)


def test_no_sound_device(unloaded, monkeypatch):
    class NoDevices:
        class PortAudioError(Exception):
            pass

        def query_devices(self, *_):
            raise self.PortAudioError("Error querying device -1")

    monkeypatch.setattr(devices, "portaudio", NoDevices)
    refused(unloaded("--model", "echo"), "no microphone was found", "--list-devices", "--input F.wav")
    refused(unloaded("--model", "echo", "--text", "x"), "no loudspeaker was found", "--output F.wav")
    refused(unloaded("--model", "echo", "--microphone", "desk"), "no microphone fits 'desk'", "--list-devices")


def test_no_portaudio(unloaded, monkeypatch):
    def missing():
        raise OSError("PortAudio library not found")

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                missing()

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    refused(unloaded("--model", "echo"), "apt-get install libportaudio2", "--input F.wav --output F.wav")


def test_voices(run, question):
    refused(
        run("--model", "echo", "--fast", "--input", question, "--voice", "espek"),
        "no voice is called 'espek'",
        "espeak",
    )
    code, out, err = run("--list-voices")
    assert (code, err) == (0, []) and {"tone", "espeak", "espeak:en-gb"} <= {line.split()[0] for line in out}
    natural = next(line for line in out if line.startswith("piper:"))
    known = r"piper:en_US-joe-medium +English \(America\) +MIT.* (on this disk|can be fetched, 63 MB)"
    assert re.fullmatch(known, natural)


def test_models_that_cannot_be_loaded(run, tmp_path, question):
    from tests.tiny import save_tiny

    said = ("--voice", "tone", "--fast", "--device", "cpu", "--input", question, "--model")
    refused(run(*said, "no/such"), "no model at 'no/such'", "mini")
    whole = save_tiny(tmp_path / "whole")

    def broken(name, content):
        folder = tmp_path / f"without-{name}"
        shutil.copytree(whole, folder)
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
        return folder

    refused(run(*said, broken("tokenizer.json", None)), "has no tokenizer.json")
    refused(run(*said, broken("config.json", b"{")), "config.json", "is damaged")
    refused(
        run(*said, broken("model.safetensors", b"not weights" * 99)), "without-model.safetensors", "cannot be loaded"
    )


def test_unexpected_failures_are_one_line_too(run, monkeypatch):
    def load(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr(run_local, "VoiceChat", load)
    code, out, err = run(*ECHO, "--text", "x")
    assert code == 1 and out == [] and len(err) == 1 and "boom" in err[0] and "VOICECHAT_DEBUG" in err[0]


# ---- parts -----------------------------------------------------------------------------------


def spoken(turn, size=100, rate=16_000, value=0.5):
    return Spoken(turn, np.full(size, value, np.float32), rate, "word ")


def test_the_queue_plays_each_turn_until_it_is_stopped():
    queue = SoundQueue(16_000)
    assert len(queue.take(50)) == 0 and queue.position == (0, 0)
    queue.add(spoken(1))
    queue.add(spoken(1))
    assert len(queue.take(150)) == 150 and queue.position == (1, 150)
    queue.stop(1)
    queue.add(spoken(1))
    assert len(queue.take(50)) == 0 and queue.position == (1, 150)
    queue.add(spoken(2, value=0.25))
    queue.add(spoken(1))
    assert set(queue.take(500)) == {np.float32(0.25)} and queue.position == (2, 100)


def test_the_queue_turns_an_answer_down_holds_it_and_goes_on_where_it_stood():
    queue, sound = SoundQueue(16_000), np.linspace(0.5, 1.0, 4_000, dtype=np.float32)
    queue.add(Spoken(1, sound, 16_000, "word "))
    heard = [queue.take(320)]
    for gain, position in ((0.2, 640), (0.0, 671), (0.0, 671), (1.0, 991), (1.0, 1_311)):
        queue.turn_down(1, gain)
        heard.append(queue.take(320))
        assert queue.position == (1, position)
    played = np.concatenate(heard)
    gains = played / sound[: len(played)]
    np.testing.assert_allclose(gains[[0, 319, 460, 639, 832, 990, 1_310]], [1, 1, 0.2, 0.2, 1, 1, 1], rtol=1e-4)
    assert np.abs(np.diff(gains)).max() < 1 / 150  # a jump would click: 10 ms from silence to full
    queue.turn_down(1, 0.0)
    queue.take(320)
    assert len(queue.take(320)) == 0
    queue.stop(1)  # it was an interruption
    queue.add(spoken(2, value=0.25))
    assert set(queue.take(500)) == {np.float32(0.25)} and queue.position == (2, 100)


def test_an_answer_that_is_held_before_it_sounds_waits():
    queue = SoundQueue(16_000)
    queue.add(spoken(1))
    assert set(queue.take(500)) == {np.float32(0.5)}
    queue.turn_down(2, 0.0)
    queue.add(spoken(2, value=0.25))
    assert len(queue.take(500)) == 0
    queue.turn_down(2, 1.0)
    assert len(queue.take(500)) == 100 and queue.position == (2, 100)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_queue_resamples_to_the_loudspeaker(rate):
    queue = SoundQueue(rate)
    for _ in range(50):
        queue.add(spoken(1, 441, 22_050))
    queue.finish(1)
    assert len(queue.take(10 * rate)) == pytest.approx(rate, abs=2)


def test_a_recording_is_valid_at_every_moment(tmp_path):
    recording = Recording(tmp_path / "a.wav", 16_000, paced=False)
    recording.begin()
    assert soundfile.info(tmp_path / "a.wav").frames == 0
    for sounds in (1, 2, 3):
        recording.add(spoken(1, value=2.0))
        assert len(soundfile.read(tmp_path / "a.wav")[0]) == 100 * sounds
    recording.close()
    assert soundfile.read(tmp_path / "a.wav", dtype="int16")[0].max() == 32_767


def test_a_recording_leaves_out_the_pause_of_an_answer_that_was_held(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr("voicechat.terminal.recording.monotonic", lambda: now)
    recording = Recording(tmp_path / "a.wav", 16_000, paced=True)
    recording.add(spoken(1, 16_000))
    for now, gain in ((0.5, 0.0), (1.0, 0.0), (1.5, 1.0)):  # noqa: B007 the clock reads it
        recording.played()
        recording.turn_down(1, gain)
    held = recording.played()
    now = 3.0
    assert held == (1, pytest.approx(0.51, abs=1e-3)) and recording.played() == (1, 1.0)
    recording.close()
    assert soundfile.info(tmp_path / "a.wav").frames == 16_000


def test_the_live_display():
    from rich.console import Console

    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=80, height=20, highlight=False)
    live = Live(console)
    live.level(0.1)
    live.refresh(State.HEARING)
    shown = console.export_text()
    assert "hearing you" in shown and "█" in shown
    live.show(TurnStarted(1))
    live.show(TextDelta(1, "It is [bold]fifty\x1b[31m six"))
    live.refresh(State.SPEAKING)
    shown = console.export_text()
    assert "speaking" in shown and "voicechat: It is [bold]fifty [31m six" in shown
    live.show(TurnEnded(1, "seven times eight", "It is fifty six.", Timing(500, 80, 120, 300)))
    live.show(Interrupted(1, 0.5, "It is "))
    shown = console.export_text()
    assert "you: seven times eight" in shown and "voice to voice 620 ms" in shown
    assert "interrupted after 0.5 s; heard until: It is" in shown
    live.show(TurnStarted(2))
    live.show(TextDelta(2, "word " * 1000))
    live.refresh(State.THINKING)
    assert len(console.export_text().splitlines()) < 20
    live.show(Interrupted(2, 0.0, ""))
    assert "none of it was heard" in console.export_text()
    live.close()


def test_what_is_printed_steers_no_terminal(capsys):
    assert printable("a\x1b[2Jb\nc\u202ed") == "a [2Jb c d"
    Plain().show(Failed("one\ntwo"))
    assert capsys.readouterr().err == "run_local.py: one two\n"


def test_the_meter():
    assert meter(0.0) == 0 and meter(1.0) == METER and 0 < meter(0.03) < METER
