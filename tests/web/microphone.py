"""A browser's microphone that hears a quiet room, and a question whenever the test asks it.

A recording in the microphone's place begins when that is opened: a page that is slow to connect misses some of it.
"""

from __future__ import annotations

import base64
from pathlib import Path

import soundfile

from streaming.audio import RATE
from tests.speech import silence

OPENED = """
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (open) navigator.mediaDevices.getUserMedia = async (wanted) => {
  (window.opened ??= []).push(wanted.audio);
  const room = await open(wanted);
  const context = new AudioContext();
  const ear = context.createMediaStreamDestination();
  context.createMediaStreamSource(room).connect(ear);
  const ask = async () => {
    const recording = Uint8Array.from(atob(QUESTION), (letter) => letter.charCodeAt(0));
    const buffer = await context.decodeAudioData(recording.buffer);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(ear);
    await new Promise((ended) => { source.onended = ended; source.start(); });
    return performance.now();
  };
  MediaStreamAudioSourceNode.prototype.connect = function (...to) {
    window.ask = ask; // now the page listens
    return AudioNode.prototype.connect.apply(this, to);
  };
  return ear.stream;
};
"""


def room(folder: Path) -> list[str]:
    """Chromium's options for a microphone in a quiet room."""
    path = folder / "room.wav"
    soundfile.write(path, silence(20.0), RATE)
    return hearing(str(path))


def hearing(recording: str) -> list[str]:
    """Chromium's options for a microphone that hears a recording from when it is opened, again and again."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
    ]


def script(question: Path) -> str:
    """For add_init_script: the recording is what ask() says."""
    return f"const QUESTION = {base64.b64encode(question.read_bytes()).decode()!r};{OPENED}"


def ask(page, whole: bool = True) -> float | None:
    """Say the question as soon as the page listens; performance.now() at its end, unless that is not waited for."""
    page.wait_for_function("Boolean(window.ask)")  # a function would be called: asked twice
    return page.evaluate("ask()" if whole else "void ask()")
