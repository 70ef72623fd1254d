"""Whether the speaker has finished, and so how long to wait in this pause: by what was said, and by how it sounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

import numpy as np

from streaming.audio import RATE
from voicechat.blocking import Urgency, Worker
from voicechat.conversation import Clip
from voicechat.verdict import Verdict

HALF_S = 0.35  # of voice: half a word, or a cough that sounds like one
SURE = 0.5  # the least probability with which a turn is over by ear
HUSH = round(0.1 * RATE)  # samples of silence that it is given beside the pause: it was trained on longer ones


class ByEar(Protocol):
    """A judge of the melody, as `streaming/smart_turn.py` is one."""

    def probability(self, samples: np.ndarray) -> float:
        """Of the turn being over, from float32 [n] at 16 kHz with the silence behind it."""
        ...


class Ending:
    """The model's verdict, which comes from `judged`, and the ear's, which is asked at each `pause`.

    The ear never hurries: where the model takes a sentence for finished that does not sound so, it may go on.
    `decided` is told the verdict on the pause, once all who are asked have been heard.
    """

    def __init__(self, decided: Callable[[Verdict], None], ear: tuple[ByEar, Worker] | None) -> None:
        self.verdict: Verdict | None = None  # on what is being said
        self._decided, self._ear = decided, ear
        self._finished: bool | None = None  # by ear
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Something else is said, or it goes on: there is no verdict on it yet."""
        self.verdict = None
        self._stop()

    def pause(self, clip: Clip) -> None:
        self.begin()
        if self._ear is not None:
            self._task = asyncio.create_task(self._listen(*self._ear, clip))

    def judged(self, verdict: Verdict) -> None:
        """By the model."""
        self.verdict = verdict
        self._decide()

    def over(self, voiced_s: float) -> Verdict | None:
        """The verdict on what has been said, now that nothing followed: half a word asks for nothing."""
        if self.verdict is Verdict.UNFINISHED and voiced_s < HALF_S:
            self.verdict = Verdict.ASIDE
        return self.verdict

    async def close(self) -> None:
        self._stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _stop(self) -> None:
        self._finished = None if self._ear else True
        if self._task is not None:
            self._task.cancel()

    async def _listen(self, judge: ByEar, worker: Worker, clip: Clip) -> None:
        probability = 1.0  # an ear that fails leaves it to the model
        with suppress(Exception):
            heard = np.pad(clip.read(), (0, HUSH))
            probability = await worker.run(partial(judge.probability, heard), Urgency.SPECULATE)
        self._finished = probability >= SURE
        self._decide()

    def _decide(self) -> None:
        if self.verdict is not None and self._finished is not None:
            open_ended = self.verdict is Verdict.FINISHED and not self._finished
            self._decided(Verdict.OPEN if open_ended else self.verdict)
