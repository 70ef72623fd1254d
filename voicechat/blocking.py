"""The only file with threads: blocking work on a thread of its own, seen as async from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from enum import IntEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")
AHEAD = 256  # items that work may be ahead of its reader: longer than any clause, so a model need not wait for a voice


class Urgency(IntEnum):
    """How soon a piece of work gets its next step: lower is sooner."""

    ANSWER = 0  # somebody waits for it
    SPECULATE = 1  # an answer that somebody will wait for if he has finished speaking
    PREPARE = 2  # makes an answer come sooner that has not been asked for yet
    TRANSCRIBE = 3  # a record of what has been answered already


class Worker:
    """One thread that takes many pieces of work a step at a time: the most urgent first, equals in turn."""

    def __init__(self, name: str) -> None:
        # It is given a ticket for each piece that can go on. Whose step a ticket is, is decided when it comes up.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = threading.Lock()  # over what follows, and what the pieces say of themselves
        self._pieces: list[_Piece[Any]] = []  # the longest without a step first; not the one whose step runs
        self._closed = False

    async def run(self, work: Callable[[], T], urgency: Urgency = Urgency.ANSWER) -> T:
        """The result of `work()`, one step. Cancelled, it leaves when the work has ended, or at once before it."""
        async with aclosing(self.stream(lambda: iter((work(),)), urgency)) as result:
            return await anext(result)

    async def stream(
        self,
        work: Callable[[], Iterator[T]],
        urgency: Urgency | Callable[[], Urgency] = Urgency.ANSWER,
        ahead: int = AHEAD,
    ) -> AsyncGenerator[T, None]:
        """The items of the iterator `work()`: each is a step, taken on the thread, as `work` itself is.

        An urgency that may change is a function, asked before each step.

        No step is taken while the reader is `ahead` items behind. Leaving waits for the step that
        runs and for the iterator's `close`: nothing of the work runs afterwards. An error in a step
        comes after the items before it. Raises asyncio.CancelledError when the worker is closed.
        """
        piece = _Piece(work, urgency, ahead)
        with self._lock:
            self._pool.submit(self._step)
            self._pieces.append(piece)
        try:
            while isinstance(item := await piece.item(), tuple):
                with self._lock:
                    piece.room += 1
                    self._wake(piece)
                yield item[0]
            if item is not None:
                raise item
        finally:
            item = None  # the traceback of an error holds this frame: it must not hold the error
            await self._leave(piece)

    def close(self) -> None:
        """Wait for the step that runs, and give up the rest: iterators are closed, readers cancelled."""
        with self._lock:
            self._closed = True
            for piece in self._pieces:
                piece.left = True
                self._wake(piece)
            self._pool.shutdown(wait=False)
        self._pool.shutdown()

    def _step(self) -> None:
        with self._lock:
            ready = [piece for piece in self._pieces if not piece.parked]
            if not ready:  # whom the ticket was for has left
                return
            piece = min(ready, key=lambda p: (not p.left, p.urgency()))
            self._pieces.remove(piece)
        while piece.step():  # a second time only to close it
            with self._lock:
                piece.room -= 1
                piece.left |= self._closed
                if not piece.left:
                    piece.parked = True
                    self._pieces.append(piece)
                    self._wake(piece)
                    return

    def _wake(self, piece: _Piece[Any]) -> None:
        """With the lock: a ticket for a parked piece that can go on."""
        if piece.parked and (piece.room > 0 or piece.left):
            piece.parked = False
            self._pool.submit(self._step)

    async def _leave(self, piece: _Piece[Any]) -> None:
        with self._lock:
            piece.left = True
            self._wake(piece)
            if piece in self._pieces and not hasattr(piece.steps, "close"):  # not begun, or nothing to close
                self._pieces.remove(piece)
                piece.over = True
        cancelled = None
        while not piece.over:
            try:
                await piece.item()
            except asyncio.CancelledError as error:  # once more: but two steps of a work must never overlap
                cancelled = error
        if cancelled:
            raise cancelled


class _Piece(Generic[T]):
    """A piece of work on the thread, and the way to its reader on the event loop."""

    def __init__(self, begin: Callable[[], Iterator[T]], urgency: Urgency | Callable[[], Urgency], room: int) -> None:
        self._urgency = urgency
        self.room = room  # for so many items
        self.parked = self.left = self.over = False
        self.steps: Iterator[T] | None = None
        self._begin, self._loop = begin, asyncio.get_running_loop()
        self._items = asyncio.Queue[tuple[T] | BaseException | None]()

    def urgency(self) -> Urgency:
        return self._urgency if isinstance(self._urgency, Urgency) else self._urgency()

    def step(self) -> bool:
        """On the thread: the next item, or the closing where the reader has left. Whether it goes on."""
        try:
            if self.left:
                getattr(self.steps, "close", bool)()
                raise asyncio.CancelledError
            self.steps = self._begin() if self.steps is None else self.steps
            for item in self.steps:
                self._tell((item,))
                return True
            self._tell(None)
        except BaseException as error:
            self._tell(error)
        return False

    def _tell(self, item: tuple[T] | BaseException | None) -> None:
        with suppress(RuntimeError):  # the event loop has been closed, and nobody reads
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def item(self) -> tuple[T] | BaseException | None:
        """The next item; when it is over, the error or None."""
        item = await self._items.get()
        self.over = not isinstance(item, tuple)
        return item
