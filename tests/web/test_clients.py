"""Clients that others wrote, unmodified, in conversation with the server. `make clients` runs them all."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import soundfile
import soxr

from streaming.audio import RATE
from tests.speech import say

ROOT = Path(__file__).parents[2]
CLIENTS = {  # environment and script
    "openai": ("agents", "openai_client.py"),
    "agents": ("agents", "agents_client.py"),
    "livekit": ("livekit", "livekit_client.py"),
    "pipecat": ("pipecat", "pipecat_client.py"),
    "agents-js": ("js", "agents_client.mjs"),
}
SLOW = ("livekit", "pipecat", "agents-js")
QUESTION, ANSWER = "what is seven times eight", "fifty-six"
LONG_QUESTION, LAST_WORD = "tell me what you can do", "myself"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The two questions as the clients send them: PCM16 at 24 kHz."""
    folder = tmp_path_factory.mktemp("questions")
    for name, text in (("question", QUESTION), ("long", LONG_QUESTION)):
        samples = soxr.resample(0.5 * say(text), RATE, 24_000)
        soundfile.write(folder / f"{name}.wav", samples, 24_000, subtype="PCM_16")
    return folder


def command(client: str) -> list[str]:
    environment, script = CLIENTS[client]
    folder = ROOT / ".venv" / "clients" / environment
    if client in SLOW and os.environ.get("CLIENTS") != "all":
        pytest.skip("make clients runs it")
    if not (folder / "made").exists():
        without = f"{client} has no environment here: make {folder.relative_to(ROOT)}/made"
        if "MAKELEVEL" in os.environ:  # make has made what its tests need
            pytest.fail(without)
        pytest.skip(without)
    program = shutil.which("node") if environment == "js" else folder / "bin" / "python"
    return [str(program), str(ROOT / "tests" / "clients" / script)]


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_an_unmodified_client(client, server, recordings):
    """Voice, text, a tool, push-to-talk, interruption: answered, transcribed, cut, and never an error."""
    options = {
        "url": server.wire, "question": recordings / "question.wav", "typed": QUESTION, "expect": ANSWER,
        "long": recordings / "long.wav", "unheard": LAST_WORD,
    }  # fmt: skip
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    run = subprocess.run([*command(client), *arguments], capture_output=True, text=True, timeout=240)
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["scenario"] for line in told][:2] == ["voice", "text"], run.stderr[-2000:]
    assert not [f"{line['scenario']}: {line['why']} {line['errors']}" for line in told if not line["ok"]]
    assert run.returncode == 0
