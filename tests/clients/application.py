"""What a client shows its application, and what its user can do with it.

Standard library only, because each client runs in an environment of its own. Sound is PCM16 mono at 24 kHz.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

RATE = 24_000
PATIENCE_S = 15.0  # for one thing that should happen
API_KEY = "none"  # what a client sends as its key: a server without a token takes any
MODEL = "gpt-realtime-2.1"  # what the clients name by default, whatever the server has


@dataclass
class Answer:
    text: str = ""  # as it was told while the answer was spoken
    sound_s: float = 0.0
    over: bool = False
    first_sound: float | None = None

    def sound(self, pcm: bytes) -> None:
        self.first_sound = self.first_sound or time.monotonic()
        self.sound_s += len(pcm) / 2 / RATE

    @property
    def listened_s(self) -> float:
        """How long it has been sounding, for somebody who plays it as it comes."""
        return 0.0 if self.first_sound is None else min(self.sound_s, time.monotonic() - self.first_sound)


@dataclass
class Seen:
    """What the client told its application."""

    heard: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    cancelled: int = 0
    tools_called: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def answering(self) -> bool:
        return bool(self.answers) and not self.answers[-1].over


class Client(Protocol):
    forgets: bool  # what was not heard of an answer; one that does not leaves that to its application

    async def hear(self, pcm: bytes) -> None:
        """A piece of microphone sound."""

    async def type(self, text: str) -> None:
        """A typed question, which is to be answered."""

    async def press(self) -> None:
        """The talk button is pressed: an answer that sounds falls silent, and what is heard now is a question."""

    async def release(self) -> None:
        """The talk button is released: what was said is a question, and is to be answered."""

    async def stop(self) -> None:
        """The application's stop button, while an answer is spoken."""

    def history(self) -> list[tuple[str, str]]:
        """The conversation as the client has it: (role, text)."""


class Connect(Protocol):
    def __call__(
        self, url: str, seen: Seen, turns: bool = True, tool: bool = False
    ) -> AbstractAsyncContextManager[Client]:
        """`turns`: the server finds out where a turn ends. `tool`: the session has a tool."""


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs it until the block ends. It should not end by itself: its error is raised."""
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()


async def until(happened: Callable[[], bool], what: str) -> None:
    patient = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < patient, f"within {PATIENCE_S:.0f} s not seen: {what}"
        await asyncio.sleep(0.02)
