"""The only file with threads: blocking work on a thread of its own, seen as async from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
AHEAD = 256  # items that work may be ahead of its reader: longer than any clause, so a model need not wait for a voice


class Worker:
    """One thread, which does one thing at a time, in the order in which it was asked."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work()`. When cancelled, it leaves once the work has ended."""
        job = self._pool.submit(work)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if not job.cancel():
                await asyncio.to_thread(_settle, job)
            raise

    async def stream(self, work: Callable[[Callable[[T], bool]], None], ahead: int = AHEAD) -> AsyncGenerator[T, None]:
        """What `work(emit)` hands to `emit`, as an async generator.

        `emit` waits while its reader is `ahead` items behind, and returns False once the reader has
        left. Leaving waits until the work has seen that, so two pieces of work never overlap; an
        error in the work reaches the reader after the items before it.
        """
        loop, items = asyncio.get_running_loop(), asyncio.Queue[tuple[T, ...]]()
        room, left = threading.Semaphore(ahead), threading.Event()

        def emit(item: T) -> bool:
            room.acquire()
            if not left.is_set():
                loop.call_soon_threadsafe(items.put_nowait, (item,))
            return not left.is_set()

        def run() -> None:
            try:
                if not left.is_set():
                    work(emit)
            finally:
                loop.call_soon_threadsafe(items.put_nowait, ())

        job = self._pool.submit(run)
        try:
            while item := await items.get():
                room.release()
                yield item[0]
            await asyncio.wrap_future(job)
        finally:
            left.set()
            room.release()
            if not job.cancel():
                await asyncio.to_thread(_settle, job)

    def close(self) -> None:
        """Give up what has not begun; wait for what has."""
        self._pool.shutdown(cancel_futures=True)


def _settle(job: object) -> None:
    with suppress(Exception):
        job.exception()  # type: ignore[attr-defined]
