"""A session in this process, in sample time: computing takes none of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.oracle import Oracle
from bench.record import RATE, Answer
from streaming.audio import AudioChunk
from voicechat import Config, VoiceChat
from voicechat.blocking import Urgency, Worker
from voicechat.events import Answered, Event, Spoken, as_json
from voicechat.model import Model

if TYPE_CHECKING:
    from bench.stage import Stage

CHAIN = 8  # rounds of the event loop in which one result makes the next piece of work


class WatchedWorker(Worker):
    """A worker of which is known when it has nothing to do."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.open = 0  # pieces of work
        self.moves = 0  # grows with everything that happens

    async def stream(self, *given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        self.open += 1
        try:
            async with aclosing(super().stream(*given, **options)) as items:
                async for item in items:
                    self.moves += 1
                    yield item
        finally:
            self.open -= 1
            self.moves += 1

    async def idle(self) -> None:
        """Until everything that can go on has gone on: a step that does nothing has its turn last."""

        def nothing() -> Iterator[None]:
            yield None

        async with aclosing(super().stream(nothing, max(Urgency))) as items:
            async for _ in items:
                pass


class Rehearsal(VoiceChat):
    """A model and a voice whose work takes no time, as a session that lives in sample time sees it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._workers = self._thinking, self._speaking = WatchedWorker("model"), WatchedWorker("voice")

    def _load_model(self) -> Model:
        return Oracle() if self.config.model == Oracle.name else super()._load_model()

    async def settle(self) -> None:
        """Until all work that what was heard has caused is done, or waits for more to be heard."""
        for _ in range(CHAIN):
            await asyncio.sleep(0)
        still = 0
        while still < 2 and any(worker.open for worker in self._workers):
            moves = sum(worker.moves for worker in self._workers)
            for worker in self._workers:
                await worker.idle()
                for _ in range(CHAIN):
                    await asyncio.sleep(0)
            still = still + 1 if moves == sum(worker.moves for worker in self._workers) else 0


class Here:
    """A session in this process. The ear's reports reach it at once, what it tells reaches the ear a little later."""

    def __init__(self, chat: Rehearsal) -> None:
        self.chat = chat
        self._now_s = 0.0

    async def open(self, stage: Stage) -> None:
        self.stage = stage
        if isinstance(self.chat.model, Oracle):
            self.chat.model.stage = stage
        self.session = self.chat.session(self._tell)

    async def hear(self, samples: np.ndarray, until_s: float) -> None:
        self._now_s = until_s
        await self.session.hear(AudioChunk(samples, RATE, until_s - len(samples) / RATE))
        await self.chat.settle()

    async def played(self, answer: Answer, seconds: float) -> None:
        await self.session.played(answer.turn, seconds)
        await self.chat.settle()

    async def stopped(self, answer: Answer) -> None:
        if not answer.withdrawn:  # as clients of the wire do
            with suppress(KeyError):
                await self.session.truncate(answer.id, answer.played_s)
            await self.chat.settle()

    async def remembered(self, answers: list[Answer]) -> dict[str, str]:
        return {message.id: message.text for message in self.session.conversation.some([a.id for a in answers])}

    async def close(self) -> None:
        await self.session.close()

    def _tell(self, event: Event) -> None:
        if isinstance(event, Spoken):
            self.stage.sound(event.turn, event.samples, event.rate, event.text, self._now_s)
            return
        if isinstance(event, Answered):
            self.stage.complete(event.turn, self._now_s)
        self.stage.told(as_json(event), self._now_s)
