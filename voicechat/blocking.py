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
    PREPARE = 1  # makes an answer come sooner that has not been asked for yet
    TRANSCRIBE = 2  # a record of what has been answered already


class Worker:
    """One thread that takes many pieces of work a step at a time: the most urgent first, equals in turn.

    The pool's queue holds one ticket for each piece that can go on. A ticket names no piece: whose
    step it is, is decided when it comes up.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = threading.Lock()  # over the pieces' fields and those below
        self._pieces: list[_Piece[Any]] = []  # the longest without a step first; not the one whose step runs
        self._closed = False

    async def run(self, work: Callable[[], T], urgency: Urgency = Urgency.ANSWER) -> T:
        """The result of `work()`, one step. When cancelled, it leaves once the work has ended, if it has begun."""
        async with aclosing(self.stream(lambda: iter((work(),)), urgency)) as result:
            return await anext(result)

    async def stream(
        self, work: Callable[[], Iterator[T]], urgency: Urgency = Urgency.ANSWER, ahead: int = AHEAD
    ) -> AsyncGenerator[T, None]:
        """The items of the iterator `work()`, each a step, called for on the thread like `work` itself.

        There is no step while the reader is `ahead` items behind. Leaving waits for a step that runs,
        then for the iterator's `close`, on the thread: nothing of the work runs afterwards. An error
        in a step comes after the items before it. asyncio.CancelledError: the worker was closed.
        """
        piece = _Piece(work, urgency, ahead)
        with self._lock:
            if self._closed:
                raise RuntimeError("this worker has been closed: make another")
            self._pieces.append(piece)
            self._wake(piece)
        try:
            while isinstance(item := await piece.items.get(), tuple):
                with self._lock:
                    piece.room += 1
                    self._wake(piece)
                yield item[0]
            if item is not None:
                raise item
        finally:
            item = None  # an error's traceback holds this frame: with the error in it, nothing would be freed
            await self._leave(piece)

    def close(self) -> None:
        """Give up what has not ended: wait for the step that runs, and close every iterator on the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._pool.submit(self._give_up)
        self._pool.shutdown()

    def _wake(self, piece: _Piece[Any]) -> None:
        """With the lock held: let a parked piece go on."""
        if piece.parked and not self._closed:
            piece.parked = False
            self._pool.submit(self._step)

    async def _leave(self, piece: _Piece[Any]) -> None:
        with self._lock:
            piece.left = True
            if piece in self._pieces and not hasattr(piece.steps, "close"):  # not begun, or nothing to close
                self._pieces.remove(piece)
                return
            self._wake(piece)
        cancelled: asyncio.CancelledError | None = None
        while not piece.over.done():
            try:
                await asyncio.wait([piece.over])
            except asyncio.CancelledError as error:  # it has to be waited for all the same: that is a step or two
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _step(self) -> None:
        with self._lock:
            ready = [piece for piece in self._pieces if not piece.parked]
            if self._closed or not ready:  # the piece that this was for has been left
                return
            piece = min(ready, key=lambda p: (not p.left, p.urgency))
            self._pieces.remove(piece)
        goes_on = piece.step()
        with self._lock:
            if goes_on:
                piece.room, piece.parked = piece.room - 1, True
                self._pieces.append(piece)
                if piece.left or piece.room > 0:
                    self._wake(piece)

    def _give_up(self) -> None:
        with self._lock:
            pieces = list(self._pieces)
            for piece in pieces:
                piece.left = True
        for piece in pieces:
            piece.step()


class _Piece(Generic[T]):
    """A piece of work on the thread, and the way to its reader on the event loop."""

    def __init__(self, begin: Callable[[], Iterator[T]], urgency: Urgency, ahead: int) -> None:
        self.begin, self.urgency, self.room = begin, urgency, ahead
        self.parked, self.left = True, False
        self.steps: Iterator[T] | None = None
        self.items = asyncio.Queue[tuple[T] | BaseException | None]()  # at the end an error, or None
        self._loop = asyncio.get_running_loop()
        self.over = self._loop.create_future()

    def step(self) -> bool:
        """On the thread: hand over the next item, or close when the reader has left. Whether there can be more."""
        try:
            if self.left:
                getattr(self.steps, "close", bool)()
                raise asyncio.CancelledError
            if self.steps is None:
                self.steps = self.begin()
            for item in self.steps:
                self._tell(self.items.put_nowait, (item,))
                return True
        except BaseException as error:
            self._tell(self._end, error)
        else:
            self._tell(self._end, None)
        return False

    def _end(self, error: BaseException | None) -> None:
        self.items.put_nowait(error)
        self.over.set_result(None)

    def _tell(self, *call: Any) -> None:
        with suppress(RuntimeError):  # the reader's event loop has been closed: nobody is told
            self._loop.call_soon_threadsafe(*call)
