"""A real server, as `python -m web` starts it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.warm import Warm
from voicechat.parts import PartError, Store
from voicechat.parts.store import home

# What has been fetched on this machine must not change what a test hears: only those that ask for a voice find it.
os.environ.setdefault("VOICECHAT_TEST_HOME", str(home()))
os.environ["VOICECHAT_HOME"] = tempfile.gettempdir() + "/voicechat-no-parts"

# Files that take half a minute and more, the longest first: begun last, one of them would be waited for alone.
LONG = (
    "test_types", "test_page", "test_kiosk", "test_comes_back", "test_run_local_server", "test_barge_in",
    "test_hostile", "test_clips",
    "test_run_local", "test_fuzz", "test_doors", "test_versus_pipecat", "test_soak", "test_load", "test_standing_still",
    "test_stopping", "test_browser", "test_behaviour", "test_mini", "test_starving",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen | Warm
    port: int
    scheme: str = "http"
    metrics_port: int | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def wire(self) -> str:
        """The Realtime protocol's address."""
        return f"{self.url.replace('http', 'ws', 1)}/v1/realtime"

    def stop(self) -> int:
        """The exit code, after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def start(*options: str) -> Served:
    return _started(Warm(["--port", "0", *options], _environment()), options)


def start_cold(*options: str) -> Served:
    """As a person does, by its command."""
    command = [sys.executable, "-m", "web", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment())
    return _started(process, options)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
    }  # one thread for the model: these tests share two cores with a browser


def _started(process: subprocess.Popen | Warm, options: tuple[str, ...]) -> Served:
    found = re.search(r"(https?)://[^ ]*?:(\d+)", process.stdout.readline())
    assert found, "the server did not start: its message is above"
    served = Served(process, int(found[2]), found[1])
    if "--metrics-port" in options:
        told = next(line for line in process.stdout if "/metrics" in line)
        served.metrics_port = int(re.search(r":(\d+)/metrics", told)[1])
    return served


@pytest.fixture
def serve():
    """Start a server with these options; it is stopped after the test."""
    yield from _serving(start)


@pytest.fixture
def serve_cold():
    """The same, by its command: for tests of how it starts and how it ends."""
    yield from _serving(start_cold)


def _serving(begin: Callable[..., Served]) -> Iterator[Callable[..., Served]]:
    running = []

    def start_(*options: str) -> Served:
        running.append(begin(*options))
        return running[-1]

    yield start_
    for served in running:
        served.stop()


@pytest.fixture(scope="session")
def server():
    """One server with mini, for every test that leaves it as it was."""
    served = start("--model", "mini", "--greedy")
    yield served
    served.stop()


@pytest.fixture(scope="session")
def joe() -> Path:
    """The folder of the natural voice."""
    try:
        return Store(Path(os.environ["VOICECHAT_TEST_HOME"])).folder("piper:en_US-joe-medium")
    except PartError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kokoro() -> Path:
    """The folder of Kokoro's network and of the styles that come with it."""
    try:
        return Store(Path(os.environ["VOICECHAT_TEST_HOME"])).folder("kokoro")
    except PartError as error:
        pytest.skip(str(error))


@pytest.fixture
def natural(joe, monkeypatch):
    """What has been fetched is there, as for a user."""
    monkeypatch.setenv("VOICECHAT_HOME", os.environ["VOICECHAT_TEST_HOME"])
