"""Servers that start at once: each is a copy of one process that has imported what a server imports.

Importing takes five seconds, and a hundred tests want a server of their own. What runs is `python -m web` from its
`main` on; tests of the start and of the end use the command itself (`bench.served`, tests/web/test_stopping.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.reduction import DupFd

IMPORTED = ["web.__main__", "web.application", "web.server", "web.page", "voicechat.flamingo", "voicechat.echo",
            "tts.espeak", "tts.tone"]  # fmt: skip
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(IMPORTED)


class Warm:
    """A server's process, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        reads, writes = os.pipe()
        standard = _Standard(writes, 2)
        self._process = CONTEXT.Process(target=_serve, args=(arguments, dict(environment), standard))
        self._process.start()
        os.close(writes)
        self.stdout = os.fdopen(reads)
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("web", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


class _Standard:
    """Standard output and error of a process that is about to be started."""

    def __init__(self, output: int, error: int) -> None:
        self._ours = output, error

    def __getstate__(self) -> list[object]:
        return [DupFd(number) for number in self._ours]

    def __setstate__(self, copies: list[object]) -> None:
        self._copies = copies

    def take(self) -> None:
        for number, copy in enumerate(self._copies, 1):
            os.dup2(copy.detach(), number)


def _serve(arguments: list[str], environment: dict[str, str], standard: _Standard) -> None:
    from web.__main__ import main

    standard.take()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["web", *arguments]
    sys.exit(main())
