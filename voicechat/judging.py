"""What the model makes of something short that was said into an answer, while the answer stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial

from voicechat.blocking import Worker
from voicechat.conversation import Clip
from voicechat.model import Memory
from voicechat.verdict import Verdict, judge


class Judging:
    """One clip at a time. `judged` is told what the model says; None: it could not."""

    def __init__(self, memory: Memory, thinking: Worker, judged: Callable[[Clip, Verdict | None], None]) -> None:
        self._memory, self._thinking, self._judged = memory, thinking, judged
        self._task: asyncio.Task[None] | None = None

    def start(self, clip: Clip, instructions: str) -> None:
        self.stop()
        self._task = asyncio.create_task(self._judge(clip, instructions))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _judge(self, clip: Clip, instructions: str) -> None:
        text, verdict = "", None
        with suppress(Exception):  # it is decided by how long is spoken, then
            async with aclosing(self._thinking.stream(partial(self._memory.judge, clip, instructions))) as words:
                async for word in words:
                    text += word
                    if (verdict := judge(text)) is not None:
                        break
        self._judged(clip, verdict)
