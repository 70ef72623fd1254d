"""What has arrived is shown to the model while the user still speaks, so that less is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from streaming.audio import RATE
from voicechat.blocking import Urgency, Worker
from voicechat.conversation import Clip, Message
from voicechat.model import Memory

STEP = RATE // 2  # samples between two looks


class Preparing:
    """Twice a second at the most, and only while the model has nothing else to do."""

    def __init__(self, memory: Memory, thinking: Worker) -> None:
        self._memory, self._thinking = memory, thinking
        self._task: asyncio.Task[None] | None = None
        self._shown = 0  # samples of the clip that the model has been shown

    def begin(self) -> None:
        """With another clip."""
        self._shown = 0

    def show(self, clip: Clip, messages: Callable[[], tuple[Message, ...]]) -> None:
        """The clip is the end of these messages."""
        idle = self._task is None or self._task.done()
        if idle and (not self._shown or clip.length - self._shown >= STEP):
            self._shown = clip.length
            self._task = asyncio.create_task(self._look(messages()))

    async def close(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _look(self, messages: tuple[Message, ...]) -> None:
        with suppress(Exception):  # what goes wrong here goes wrong again in the turn, and is told there
            await self._thinking.run(lambda: self._memory.prepare(messages), Urgency.PREPARE)
