import asyncio
import threading
import time
from contextlib import aclosing

import pytest

from voicechat.blocking import Worker


@pytest.fixture
def worker():
    worker = Worker("test")
    yield worker
    worker.close()


async def test_items_arrive_in_order_while_the_work_goes_on(worker):
    gate = threading.Event()

    def work(emit):
        for item in range(3):
            emit(item)
        gate.wait(5)
        emit(3)

    seen = []
    async for item in worker.stream(work):
        seen.append(item)
        if item == 2:
            gate.set()
    assert seen == [0, 1, 2, 3]


async def test_an_error_arrives_after_the_items_before_it(worker):
    def work(emit):
        emit("a")
        raise ValueError("broken")

    seen = []
    with pytest.raises(ValueError, match="broken"):
        async for item in worker.stream(work):
            seen.append(item)
    assert seen == ["a"]
    assert await worker.run(lambda: 1) == 1


async def test_work_waits_for_a_slow_reader(worker):
    made = []

    def work(emit):
        for item in range(100):
            made.append(item)
            emit(item)

    async with aclosing(worker.stream(work, ahead=4)) as stream:
        assert await anext(stream) == 0
        await asyncio.sleep(0.05)
        assert len(made) <= 6
        assert [item async for item in stream] == list(range(1, 100))


@pytest.mark.parametrize("ahead", [1, 256])
async def test_a_reader_that_leaves_stops_the_work_before_the_next_begins(worker, ahead):
    running = []

    def work(emit):
        running.append(True)
        while emit("x"):
            time.sleep(0.001)
        running.pop()

    async with aclosing(worker.stream(work, ahead)) as stream:
        await anext(stream)
    assert not running


async def test_cancelling_the_task_stops_the_work(worker):
    running = []

    def work(emit):
        running.append(True)
        while emit("x"):
            time.sleep(0.001)
        running.pop()

    async def read():
        async with aclosing(worker.stream(work)) as stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(read())
    while not running:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and not running


async def test_work_that_has_not_begun_is_never_done(worker):
    release, done = threading.Event(), []
    first = asyncio.create_task(worker.run(lambda: release.wait(5)))
    second = asyncio.create_task(worker.run(lambda: done.append(1)))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.wait([second])
    release.set()
    assert await first is True and not done
