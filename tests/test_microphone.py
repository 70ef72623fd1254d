"""By microphone and loudspeaker, as a user talks: through PortAudio and a PulseAudio without hardware."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from streaming.aec import EchoCanceller
from tests.pulse import pulse, without_sound
from tests.speech import say
from tts.voice import load_voice

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.alone


@pytest.fixture
def question(tmp_path):
    path = tmp_path / "question.wav"
    soundfile.write(path, np.concatenate([0.5 * say("what is seven times eight"), np.zeros(8_000)]), 16_000)
    return path


@pytest.fixture
def start():
    """Starts the program; it is gone when the test is over, however that ends."""
    with contextlib.ExitStack() as stack:

        def start_(env, *arguments):
            program = subprocess.Popen(
                [sys.executable, "run_local.py", "--model", "echo", *map(str, arguments)], cwd=ROOT, env=env, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            stack.callback(program.communicate)
            stack.callback(program.kill)
            return program

        yield start_


def events(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def find(answer, recorded, rate):
    """(how well the answer is found in the recording: a correlation of 0 to 1, the second at which it begins)."""
    size = 1 << (len(recorded) + len(answer)).bit_length()
    product = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(answer, size)), size)[: len(recorded)]
    at = int(np.argmax(np.abs(product)))
    there = recorded[at : at + len(answer)]
    return abs(product[at]) / (np.linalg.norm(there) * np.linalg.norm(answer) + 1e-9), at / rate


def rendered(text, rate):
    """In a process of its own: espeak-ng says the same a little otherwise when it has said something before."""
    say_it = """if True:
        import sys
        import numpy as np
        from tts.voice import load_voice

        chunks = load_voice("espeak").say(sys.argv[1])
        sys.stdout.buffer.write(np.concatenate([chunk.samples for chunk in chunks]).tobytes())"""
    said = subprocess.run([sys.executable, "-c", say_it, text], cwd=ROOT, capture_output=True, check=True, timeout=60)
    return soxr.resample(np.frombuffer(said.stdout, np.float32), load_voice("espeak").rate, rate)


def test_a_question_by_microphone_is_answered_on_the_loudspeaker(start, tmp_path, question):
    with pulse(tmp_path / "sound") as devices, devices.recording(tmp_path / "answer.wav"):
        log = tmp_path / "events.jsonl"
        # A buffer that lasts while a busy machine does something else: the whole answer is compared.
        program = start(devices.env, "--voice", "espeak", "--latency", "500", "--events", log)
        assert "headphones" in program.stdout.readline()
        time.sleep(1.0)  # the microphone opens a moment later
        devices.play(question)
        ended = wait_for(lambda: [e for e in events(log) if e["type"] == "turn_ended"])
        time.sleep(sum(e["samples"] / e["rate"] for e in events(log) if e["type"] == "spoken") + 3)
        # What has been played is over: who speaks now interrupts nothing.
        devices.play(question)
        wait_for(lambda: [e for e in events(log) if e["type"] == "turn_ended"][1:])
        time.sleep(0.3)
        program.send_signal(signal.SIGINT)
        printed, complained = program.communicate(timeout=30)
    assert program.returncode == 0 and complained == ""
    assert [line.split(":")[0] for line in printed.splitlines()][:2] == ["you", "voicechat"]
    assert not [e for e in events(log) if e["type"] == "interrupted"]
    recorded, rate = soundfile.read(tmp_path / "answer.wav")
    likeness, _ = find(rendered(ended[0]["text"], rate), recorded, rate)
    assert likeness > 0.9
    assert find(rendered("This is another answer, to another question.", rate), recorded, rate)[0] < 0.5


def test_who_interrupts_hears_silence_and_the_rest_is_forgotten(start, tmp_path, question):
    with pulse(tmp_path / "sound") as devices, devices.recording(tmp_path / "answer.wav"):
        log = tmp_path / "events.jsonl"
        # Both devices chosen by name.
        program = start(
            devices.env, "--voice", "espeak", "--events", log, "--microphone", "pulse", "--loudspeaker", "pulse"
        )
        assert "headphones" in program.stdout.readline()
        time.sleep(1.0)
        devices.play(question)
        wait_for(lambda: [e for e in events(log) if e["type"] == "spoken"])
        time.sleep(0.5)  # let some of the answer be heard
        devices.play(question)  # while it answers
        cut = wait_for(lambda: [e for e in events(log) if e["type"] == "interrupted"], 10)[0]
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=30)
    full = sum(e["samples"] / e["rate"] for e in events(log) if e["type"] == "spoken" and e["turn"] == 1)
    assert 0.1 < cut["heard_s"] < full
    recorded, rate = soundfile.read(tmp_path / "answer.wav")
    loud = np.flatnonzero(np.abs(recorded) > 0.01)
    heard_s = (loud[-1] - loud[0]) / rate
    assert abs(heard_s - cut["heard_s"]) < 0.4, (heard_s, cut, full)


@pytest.mark.skipif(not EchoCanceller.available, reason="pip install livekit")
def test_it_does_not_interrupt_itself_where_the_microphone_hears_the_loudspeaker(start, tmp_path, question):
    with pulse(tmp_path / "sound") as devices:
        devices.echo(60)
        log = tmp_path / "events.jsonl"
        program = start(devices.env, "--model", "mini", "--voice", "espeak", "--events", log)
        assert "loudspeaker" in program.stdout.readline()
        time.sleep(1.0)
        for number in (1, 2):
            devices.play(question)
            spoken = wait_for(lambda n=number: [e for e in events(log) if e["type"] == "turn_ended"][n - 1 :])
            assert spoken[0]["text"].strip() == "Seven times eight is fifty-six."
            time.sleep(3.5)  # until it has been played
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=30)
    told = events(log)
    assert [e["type"] for e in told if e["type"] in ("interrupted", "withdrawn")] == []
    assert len([e for e in told if e["type"] == "turn_started"]) == 2
    holds = [e["turn"] for e in told if e["type"] == "yielded" and e["gain"] == 0]
    assert 2 not in holds, "by then the echo is known"


def test_a_microphone_on_a_balanced_cable_is_heard(start, tmp_path, question):
    """Its two channels are of opposite polarity: their mean is silence."""
    with pulse(tmp_path / "sound") as devices:
        log = tmp_path / "events.jsonl"
        program = start(devices.env, "--voice", "tone", "--events", log)
        assert "headphones" in program.stdout.readline()
        time.sleep(1.0)
        said, rate = soundfile.read(question)
        soundfile.write(tmp_path / "cable.wav", np.stack([said, -said], axis=1), rate)
        devices.play(tmp_path / "cable.wav")
        wait_for(lambda: [e for e in events(log) if e["type"] == "turn_ended"], 10)
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 0


@pytest.mark.parametrize(("device", "kind", "name"), [("microphone", "source", "mic"), ("loudspeaker", "sink", "spk")])
def test_a_device_that_goes_and_comes_back(start, tmp_path, question, device, kind, name):
    """That is said, and the conversation goes on when it is back."""
    with pulse(tmp_path / "sound") as devices:
        log = tmp_path / "events.jsonl"
        program = start(devices.env, "--voice", "tone", "--events", log)
        assert "headphones" in program.stdout.readline()
        time.sleep(1.0)
        devices.play(question)
        wait_for(lambda: [e for e in events(log) if e["type"] == "turn_ended"], 10)
        time.sleep(2.0)  # until it has been played
        devices.suspend(kind, name)
        assert f"the {device}" in program.stderr.readline()
        time.sleep(2.0)  # it is tried again in vain
        devices.suspend(kind, name, False)
        assert f"the {device}" in (back := program.stderr.readline()) and "is back" in back
        devices.play(question)
        wait_for(lambda: [e for e in events(log) if e["type"] == "turn_ended"][1:], 10)
        program.send_signal(signal.SIGINT)
        _, complained = program.communicate(timeout=30)
        assert program.returncode == 0 and complained == ""


def test_without_devices_it_says_what_to_do(start, tmp_path):
    pytest.importorskip("sounddevice", exc_type=OSError)
    program = start(without_sound(tmp_path / "sound"))
    printed, complained = program.communicate(timeout=60)
    assert program.returncode == 2 and printed == "" and len(complained.splitlines()) == 1
    assert "no microphone was found" in complained and "--input F.wav" in complained and "--list-devices" in complained
