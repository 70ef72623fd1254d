import asyncio
import gc
import re
import subprocess
import sys
import threading
import time
import weakref
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicechat.blocking import Urgency, Worker


@pytest.fixture
def worker():
    worker = Worker("test")
    yield worker
    worker.close()


class Work:
    """Endless work that keeps a record. Its first step waits until it is let."""

    def __init__(self, held: bool = False) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.record: list[str] = []
        if not held:
            self.go.set()

    def __call__(self):
        self.record.append("begins")
        try:
            while True:
                self.begun.set()
                self.go.wait(5)
                self.record.append(threading.current_thread().name)
                yield "x"
        finally:
            self.record.append("closed by " + threading.current_thread().name)

    async def has_begun(self) -> None:
        while not self.begun.is_set():
            await asyncio.sleep(0.001)


async def collect(stream):
    async with aclosing(stream) as items:
        return [item async for item in items]


async def read_on(stream) -> None:
    async with aclosing(stream) as items:
        async for _ in items:
            pass


# ---- one reader -------------------------------------------------------------------------------


async def test_items_arrive_in_order_while_the_work_goes_on(worker):
    gate = threading.Event()

    def work():
        yield from range(3)
        gate.wait(5)
        yield 3

    seen = []
    async for item in worker.stream(work):
        seen.append(item)
        if item == 2:
            gate.set()
    assert seen == [0, 1, 2, 3]


async def test_any_iterator_will_do(worker):
    assert await collect(worker.stream(lambda: iter("abc"))) == ["a", "b", "c"]
    assert await collect(worker.stream(lambda: iter(()))) == []
    assert await collect(worker.stream(lambda: map(str, range(600)), ahead=1)) == [str(n) for n in range(600)]


async def test_an_error_arrives_after_the_items_before_it(worker):
    def work():
        yield "a"
        raise ValueError("broken")

    seen = []
    with pytest.raises(ValueError, match="broken"):
        async for item in worker.stream(work):
            seen.append(item)
    assert seen == ["a"]
    assert await worker.run(lambda: 1) == 1


async def test_work_that_cannot_begin_is_an_error_too(worker):
    with pytest.raises(ZeroDivisionError):
        await collect(worker.stream(lambda: iter([1 / 0])))
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await worker.run(lambda: next(iter(())))


async def test_what_failed_work_held_is_freed_at_once(worker):
    class Large:
        pass

    held = []

    def work():
        large = Large()
        held.append(weakref.ref(large))
        yield 1
        raise MemoryError

    gc.disable()
    try:
        with suppress(MemoryError):
            await collect(worker.stream(work))
        await worker.run(bool)
        assert held[0]() is None
    finally:
        gc.enable()


async def test_work_waits_for_a_slow_reader(worker):
    made = []

    def work():
        for item in range(100):
            made.append(item)
            yield item

    async with aclosing(worker.stream(work, ahead=4)) as stream:
        assert await anext(stream) == 0
        for _ in range(20):
            await worker.run(bool)
        assert made == [0, 1, 2, 3, 4]
        assert [item async for item in stream] == list(range(1, 100))


# ---- leaving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [1, 2, 256])
async def test_a_reader_that_leaves_closes_the_work_on_its_thread(worker, ahead):
    work = Work()
    async with aclosing(worker.stream(work, ahead=ahead)) as stream:
        await anext(stream)
    assert work.record[-1] == "closed by test_0"
    assert work.record.count("begins") == 1 and set(work.record[1:-1]) == {"test_0"}
    record = list(work.record)
    await worker.run(bool)
    assert work.record == record


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_however_often_it_leaves_when_the_step_has_ended(worker, times):
    work = Work(held=True)
    task = asyncio.create_task(read_on(worker.stream(work)))
    await work.has_begun()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.002)
    assert not task.done()
    work.go.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert work.record == ["begins", "test_0", "closed by test_0"]


async def test_cancelled_while_it_leaves_it_is_cancelled_when_it_has_left(worker):
    work = Work()

    async def read_one():
        async with aclosing(worker.stream(work, ahead=2)) as stream:
            await anext(stream)
            await worker.run(bool)
            work.go.clear()
            work.begun.clear()
            await anext(stream)
            await work.has_begun()

    task = asyncio.create_task(read_one())
    await work.has_begun()
    while work.go.is_set() or not work.begun.is_set():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.005)
    assert not task.done()
    task.cancel()
    await asyncio.sleep(0.002)
    assert not task.done()
    work.go.set()
    await asyncio.wait([task])
    assert task.cancelled() and work.record[-1] == "closed by test_0"


async def test_leaving_waits_for_a_step_of_somebody_else_and_closes_before_the_next(worker):
    parked, other, later = Work(), Work(held=True), []
    async with aclosing(worker.stream(parked, Urgency.TRANSCRIBE, ahead=1)) as stream:
        await anext(stream)
        await worker.run(bool)  # until it is parked again
        going_on = asyncio.create_task(read_on(worker.stream(other)))
        await other.has_begun()
        next_ = asyncio.create_task(worker.run(lambda: later.extend(parked.record)))
        await asyncio.sleep(0.002)
        leaving = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0.002)
        assert not leaving.done()
        other.go.set()
        await leaving
    await next_
    assert later[-1] == "closed by test_0"
    going_on.cancel()
    await asyncio.wait([going_on])


async def test_what_closing_raises_is_nobodys(worker):
    def work():
        try:
            yield 1
        finally:
            raise ValueError("at the end")

    async with aclosing(worker.stream(work)) as stream:
        await anext(stream)
        await asyncio.sleep(0)
    assert await worker.run(lambda: 1) == 1


@pytest.mark.parametrize("begin", [lambda w, f: w.run(f), lambda w, f: collect(w.stream(lambda: iter([f()])))])
async def test_work_that_has_not_begun_is_never_done(worker, begin):
    release, done = threading.Event(), []
    first = asyncio.create_task(worker.run(lambda: release.wait(5)))
    second = asyncio.create_task(begin(worker, lambda: done.append(1)))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.wait([second])
    assert not first.done(), "it left at once"
    release.set()
    assert await first is True and not done


async def test_a_run_that_has_begun_is_waited_for(worker):
    inside, release, done = threading.Event(), threading.Event(), []

    def work():
        inside.set()
        release.wait(5)
        done.append(1)

    task = asyncio.create_task(worker.run(work))
    while not inside.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.sleep(0.002)
    task.cancel()
    await asyncio.sleep(0.002)
    assert not task.done()
    release.set()
    await asyncio.wait([task])
    assert task.cancelled() and done


# ---- many at once -----------------------------------------------------------------------------


async def in_order(worker, *works: tuple[Urgency, str], each: int = 4) -> str:
    """The order of the steps of works that are there at the same moment."""
    order, release, inside = [], threading.Event(), threading.Event()

    def steps(name):
        for _ in range(each):
            order.append(name)
            yield name

    def hold():
        inside.set()
        release.wait(5)

    holding = asyncio.create_task(worker.run(hold))
    while not inside.is_set():
        await asyncio.sleep(0.001)
    reading = [asyncio.create_task(collect(worker.stream(lambda n=name: steps(n), urgency))) for urgency, name in works]
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(holding, *reading)
    return "".join(order)


async def test_equals_take_turns(worker):
    works = [(Urgency.ANSWER, name) for name in "abc"]
    assert await in_order(worker, *works) == "abcabcabcabc"


async def test_the_most_urgent_goes_first(worker):
    works = (Urgency.TRANSCRIBE, "t"), (Urgency.PREPARE, "p"), (Urgency.ANSWER, "a"), (Urgency.ANSWER, "b")
    assert await in_order(worker, *works) == "ababababpppptttt"


async def test_a_speculation_makes_no_answer_wait(worker):
    works = (Urgency.SPECULATE, "s"), (Urgency.ANSWER, "a"), (Urgency.PREPARE, "p")
    assert await in_order(worker, *works) == "aaaasssspppp"


async def test_an_urgency_that_changes_counts_from_the_next_step(worker):
    asked = iter([Urgency.SPECULATE] * 2 + [Urgency.ANSWER] * 99)
    works = (lambda: next(asked), "s"), (Urgency.PREPARE, "p")
    assert await in_order(worker, *works) == "sssspppp"
    late = iter([Urgency.TRANSCRIBE] * 2 + [Urgency.ANSWER] * 99)
    assert re.fullmatch("p+ssssp+", await in_order(worker, (lambda: next(late), "s"), (Urgency.PREPARE, "p")))


@pytest.mark.parametrize("urgency", [Urgency.ANSWER, Urgency.TRANSCRIBE])
async def test_an_answer_gets_the_next_step_but_one_of_a_stream_in_mid_flight(worker, urgency):
    order, at, go = [], threading.Semaphore(0), threading.Semaphore(0)

    def steps():
        while True:
            order.append("t")
            at.release()
            go.acquire(timeout=5)
            yield

    reading = asyncio.create_task(read_on(worker.stream(steps, urgency)))
    for _ in range(5):
        await asyncio.to_thread(at.acquire)
        go.release()
    await asyncio.to_thread(at.acquire)  # its sixth step runs
    answer = asyncio.create_task(worker.run(lambda: order.append("a")))
    await asyncio.sleep(0.01)
    go.release(2)
    await answer
    assert "".join(order).startswith("tttttta")
    reading.cancel()
    go.release(1000)
    await asyncio.wait([reading])


async def test_a_slow_reader_holds_up_nobody(worker):
    async with aclosing(worker.stream(Work(), ahead=2)) as slow:
        await anext(slow)
        assert await collect(worker.stream(lambda: iter(range(1000)), Urgency.TRANSCRIBE)) == list(range(1000))
        assert [await anext(slow) for _ in range(10)] == ["x"] * 10


PLANS = st.lists(
    st.tuples(
        st.sampled_from(Urgency),
        st.integers(0, 12),  # items that it has
        st.integers(1, 4),  # that it may be ahead
        st.none() | st.integers(0, 12),  # after so many the reader leaves
        st.none() | st.integers(0, 6),  # after so many turns of the event loop it is cancelled, twice
        st.booleans(),  # it ends with an error
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(PLANS)
def test_whatever_readers_do_steps_never_overlap_and_nothing_runs_afterwards(plans):
    running, threads = [], set()

    async def one(worker, number, plan):
        urgency, count, ahead, leave_after, cancel_after, fails = plan
        done, seen, broken = [], [], False

        def steps():
            try:
                for item in range(count):
                    running.append(number)
                    threads.add(threading.get_ident())
                    assert len(running) == 1
                    running.pop()
                    yield item
                if fails:
                    raise KeyError("planned")
            finally:
                threads.add(threading.get_ident())
                done.append(True)

        begun = []
        stream = worker.stream(lambda: begun.append(1) or steps(), urgency, ahead)

        async def read():
            nonlocal broken
            async with aclosing(stream):
                try:
                    while leave_after is None or len(seen) < leave_after:
                        seen.append(await anext(stream))
                except StopAsyncIteration:
                    assert len(seen) == count and not fails
                except KeyError:
                    assert len(seen) == count and fails

        task = asyncio.create_task(read())
        if cancel_after is not None:
            for _ in range(cancel_after):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
        assert task.cancelled() <= (cancel_after is not None)
        assert seen == list(range(len(seen)))
        return begun, done

    async def all_of_them(worker):
        ended = await asyncio.gather(*(one(worker, number, plan) for number, plan in enumerate(plans)))
        before = [len(done) for _, done in ended]
        await worker.run(lambda: threads.add(threading.get_ident()))
        assert before == [len(done) for _, done in ended]
        assert not worker._pieces

    worker = Worker("planned")
    try:
        asyncio.run(asyncio.wait_for(all_of_them(worker), 20))
        assert len(threads) == 1
    finally:
        worker.close()


# ---- the end ----------------------------------------------------------------------------------


async def test_closing_waits_for_the_step_that_runs_and_closes_all_on_the_thread(worker):
    running, parked, done = Work(held=True), Work(), []
    stream = worker.stream(parked, ahead=1)
    await anext(stream)
    await worker.run(bool)
    reading = asyncio.create_task(read_on(worker.stream(running)))
    await running.has_begun()
    waiting = asyncio.create_task(worker.run(lambda: done.append(1)))
    await asyncio.sleep(0.002)
    threading.Timer(0.02, running.go.set).start()
    worker.close()
    assert running.record == ["begins", "test_0", "closed by test_0"]
    assert parked.record[-1] == "closed by test_0" and not done
    await asyncio.wait([reading, waiting])
    assert reading.cancelled() and waiting.cancelled()
    with pytest.raises(asyncio.CancelledError):
        await collect(stream)
    with pytest.raises(RuntimeError, match="shutdown"):
        await worker.run(bool)
    worker.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader has no loop to leave on
@pytest.mark.parametrize("ahead", [3, 10**9])
def test_closing_after_the_event_loop_has_gone(worker, ahead):
    work, loop = Work(), asyncio.new_event_loop()
    abandoned = worker.stream(work, ahead=ahead)
    loop.run_until_complete(anext(abandoned))
    loop.close()
    steps = len(work.record)
    while len(work.record) == steps and ahead > 3:  # nobody is told, but it goes on
        time.sleep(0.001)
    worker.close()
    assert work.record[-1] == "closed by test_0"


EXITS = {
    "idle": "await worker.run(int)",
    "unused": "pass",
    "parked": "await anext(worker.stream(endless, ahead=1))",
    "in mid-flight": "asyncio.create_task(read()); await asyncio.sleep(0.05)",
    "far ahead": "worker.kept = worker.stream(endless, ahead=10**9); await anext(worker.kept)",
}


@pytest.mark.parametrize("what", [pytest.param(code, id=name) for name, code in EXITS.items()])
def test_a_worker_that_is_never_closed_does_not_keep_the_process(what):
    code = f"""
import asyncio, itertools, time
from voicechat.blocking import Worker
worker = Worker("test")
def endless():
    for item in itertools.count():
        time.sleep(0.001)
        yield item
async def read():
    async for _ in worker.stream(endless): pass
async def main():
    {what}
loop = asyncio.new_event_loop()  # nothing is cancelled and nothing closed at the end
loop.run_until_complete(main())
print("done")
"""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr
    assert time.perf_counter() - begin < 10
