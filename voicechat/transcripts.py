"""What the user said, in words: written down when the answer has been made, so that it delays nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial

from voicechat.blocking import Urgency, Worker
from voicechat.conversation import Clip, Message
from voicechat.events import Heard
from voicechat.model import Memory


class Transcripts:
    """Of a session's spoken messages, one task each."""

    def __init__(self, memory: Memory, thinking: Worker, tell: Callable[[Heard], None]) -> None:
        self.wanted = True
        self._memory, self._thinking, self._tell = memory, thinking, tell
        self._tasks: dict[str, asyncio.Task[str]] = {}

    async def of(self, turn: int, messages: Sequence[Message]) -> str:
        """What was said and typed in these messages. Cancelled, it leaves the writing to go on."""
        for message in messages:
            self.start(turn, message)
        texts = [m.text or await asyncio.shield(self._tasks[m.id]) for m in messages if m.text or m.id in self._tasks]
        return " ".join(text for text in texts if text)

    def start(self, turn: int, message: Message) -> None:
        """Write the message down; each is written once, and told once."""
        if message.clips and not message.text and self.wanted and message.id not in self._tasks:
            self._tasks[message.id] = asyncio.create_task(self._write(turn, message))

    def known(self, id: str) -> str:
        """The words of a message that has been written down; "" before."""
        task = self._tasks.get(id)
        return task.result() if task and task.done() and not task.cancelled() else ""

    @property
    def busy(self) -> bool:
        return not all(task.done() for task in self._tasks.values())

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _write(self, turn: int, message: Message) -> str:
        texts = [await self._transcribe(clip) for clip in message.clips]
        text = " ".join(text for text in texts if text)
        self._tell(Heard(turn, text, message.id))
        return text

    async def _transcribe(self, clip: Clip) -> str:
        try:
            work = partial(self._memory.transcribe, clip)
            async with aclosing(self._thinking.stream(work, Urgency.TRANSCRIBE)) as pieces:
                return "".join([piece async for piece in pieces])
        except Exception:  # the answer does not hang on it
            return ""
