"""What waits to be sent: order, pace, what interrupting leaves of it."""

import asyncio
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.outbox import Lagging, Outbox, Sound

BYTES_A_MS = 48  # PCM16 at 24 kHz


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def taken(outbox):
    """The next thing to send, which is ready: `get` returns without waiting."""
    with pytest.raises(StopIteration) as stop:
        outbox.get().send(None)
    return stop.value.value


def ready(outbox):
    """Everything that may go now."""
    things = []
    while outbox.wait_s() == 0:
        things.append(taken(outbox))
    return things


def say(outbox, ms, text=""):
    outbox.sound(bytes(round(ms * BYTES_A_MS)), ms / 1e3, text)


def ms(things):
    return [round(thing.seconds * 1e3, 3) for thing in things if isinstance(thing, Sound)]


def texts(things):
    return "".join(thing.text for thing in things if isinstance(thing, Sound))


@pytest.mark.parametrize(
    ("pieces", "deltas"),
    [
        ((20,), [20]),
        ((10, 10), [20]),
        ((15, 30), [40, 5]),
        ((100, 100), [40, 100, 60]),
        ((1000,), [40, *[100] * 9, 60]),
        ((20, 5, 5), [30]),
        ((40, 70, 70), [40, 100, 40]),
    ],
)
def test_the_length_of_the_deltas(clock, pieces, deltas):
    outbox = Outbox(clock)
    outbox.begin()
    for piece in pieces:
        say(outbox, piece)
    assert ms(ready(outbox)) == deltas
    assert outbox.sent_s == pytest.approx(sum(pieces) / 1e3)


def test_a_first_sound_too_short_waits_for_more_or_for_the_end(clock):
    outbox = Outbox(clock)
    outbox.begin()
    say(outbox, 10, "a")
    assert outbox.wait_s() is None
    outbox.then(lambda: outbox.control({"n": 1}))
    assert outbox.wait_s() == 0
    assert [texts([taken(outbox)]), taken(outbox)] == ["a", {"n": 1}]
    say(outbox, 5, "b")  # only the first waits
    assert ms(ready(outbox)) == [5]


def test_words_go_with_the_sound_that_holds_their_end(clock):
    outbox = Outbox(clock)
    outbox.begin()
    say(outbox, 60, "one ")
    say(outbox, 30, "two ")
    say(outbox, 0, "- ")  # nothing to pronounce
    say(outbox, 120, "three")
    assert [thing.text for thing in ready(outbox)] == ["", "one two - ", "three"]
    assert outbox.sent_text == "one two - three"
    say(outbox, 0, "?!")
    assert taken(outbox) == Sound(b"", 0.0, "?!")


def test_sound_keeps_two_seconds_ahead_of_real_time(clock):
    outbox = Outbox(clock)
    outbox.begin()
    clock.now += 50  # the pace starts with the first sound, not here
    say(outbox, 5000)
    assert 2 <= sum(ms(ready(outbox))) / 1e3 <= 2.1
    assert outbox.ahead == pytest.approx(outbox.sent_s)
    wait_s = outbox.wait_s()
    assert 0 < wait_s <= 0.1
    outbox.control({"n": 1})
    assert outbox.wait_s() == 0 and taken(outbox) == {"n": 1}
    assert outbox.wait_s() == pytest.approx(wait_s)
    clock.now += wait_s
    assert ms(ready(outbox)) == [100]
    while outbox.depth:
        clock.now += outbox.wait_s()
        ready(outbox)
        assert outbox.ahead <= 2.1 + 1e-6
    assert outbox.sent_s == pytest.approx(5) and outbox.wait_s() is None


def test_after_a_gap_in_the_sound_it_is_two_seconds_ahead_again_not_more(clock):
    outbox = Outbox(clock)
    outbox.begin()
    say(outbox, 500)
    ready(outbox)
    clock.now += 10
    assert outbox.ahead == 0
    say(outbox, 5000)
    assert 2 <= sum(ms(ready(outbox))) / 1e3 <= 2.1


def test_control_overtakes_sound_and_the_end_of_an_answer_follows_its_sound(clock):
    outbox = Outbox(clock)
    outbox.control({"n": 1})
    outbox.begin()
    say(outbox, 100, "word")
    outbox.then(lambda: outbox.control({"n": 3}))
    outbox.control({"n": 2})
    things = ready(outbox)
    assert [thing if isinstance(thing, dict) else "sound" for thing in things] == [
        {"n": 1}, {"n": 2}, "sound", "sound", {"n": 3},
    ]  # fmt: skip


def test_what_follows_no_sound_is_done_at_once_and_in_order(clock):
    outbox, done = Outbox(clock), []
    outbox.then(lambda: done.append(1))
    assert done == [1]
    say(outbox, 30)
    outbox.then(lambda: (done.append(2), outbox.then(lambda: done.append(4))))
    outbox.then(lambda: done.append(3))
    assert done == [1]
    ready(outbox)
    assert done == [1, 2, 3, 4] and outbox.depth == 0


def test_a_new_answer_waits_for_the_one_before(clock):
    outbox = Outbox(clock)
    for word in ("one", "two"):
        outbox.begin()
        say(outbox, 50, word)
    first = [taken(outbox), taken(outbox)]
    assert ms(first) == [40, 10] and texts(first) == "one"
    assert outbox.sent_s == 0 and outbox.sent_text == ""  # nothing of the second is out
    assert ms(ready(outbox)) == [40, 10] and outbox.sent_text == "two"


def test_purging_leaves_the_control_events(clock):
    outbox, done = Outbox(clock), []
    outbox.begin()
    say(outbox, 50, "one")
    taken(outbox)
    outbox.then(lambda: done.append(1))
    outbox.control({"n": 1})
    assert outbox.depth == 3
    outbox.purge()
    assert ready(outbox) == [{"n": 1}] and done == []
    assert outbox.sent_s == pytest.approx(0.04)
    outbox.begin()
    assert (outbox.sent_s, outbox.sent_text, outbox.ahead) == (0, "", 0)


LONG = [("a ", 3000), ("b ", 3000), ("c. ", 3000)]


@pytest.mark.parametrize(
    ("sent", "waiting", "kept_ms", "kept"),
    [
        ("so ", [("it ", 200), ("is. ", 200), ("And ", 200), ("so.", 200)], 400, "it is. "),
        ("so ", [('it is!"  ', 200), ("And ", 200)], 200, 'it is!"  '),
        ("so ", [("Dr. ", 200), ("Who? ", 200), ("And ", 200)], 400, "Dr. Who? "),
        ("so ", [("on…", 200), ("And ", 200)], 200, "on…"),
        ("so. ", [("And ", 200), ("on.", 200)], 0, ""),
        ("so ", [("it ", 200), ("goes ", 200)], 400, "it goes "),
        ("so ", LONG, 5000, "a "),
        ("so ", [("a. ", 9000)], 5000, ""),
        ("so ", [], 0, ""),
    ],
)
def test_finishing_the_sentence(clock, sent, waiting, kept_ms, kept):
    outbox, done = Outbox(clock, ahead_s=100), []
    outbox.begin()
    say(outbox, 40, sent)
    taken(outbox)
    for text, length in waiting:
        say(outbox, length, text)
    outbox.then(lambda: done.append(1))
    outbox.finish_sentence()
    assert bool(done) == (kept_ms == 0)
    things = ready(outbox)
    assert sum(ms(things)) == pytest.approx(kept_ms) and texts(things) == kept
    assert done == [1]


async def test_waiting_wakes_at_once_and_loses_nothing_when_cancelled(clock):
    outbox = Outbox(clock)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.get(), 0.01)
    getting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.control({"n": 1})
    getting.cancel()
    await asyncio.wait([getting])
    assert await outbox.get() == {"n": 1}

    getting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.begin()
    say(outbox, 10)
    await asyncio.sleep(0)
    assert not getting.done()
    outbox.then(lambda: None)
    assert ms([await asyncio.wait_for(getting, 1)]) == [10]


async def test_a_control_event_does_not_wait_for_the_pace(clock):
    outbox = Outbox(clock)
    outbox.begin()
    say(outbox, 5000)
    ready(outbox)
    getting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.control({"n": 1})
    assert await asyncio.wait_for(getting, 0.05) == {"n": 1}  # the pace would let it wait 0.1 s


async def test_it_waits_for_the_pace():
    outbox = Outbox(time.monotonic, ahead_s=0.05)
    outbox.begin()
    say(outbox, 340)
    started = time.monotonic()
    assert ms([await outbox.get() for _ in range(4)]) == [40, 100, 100, 100]
    assert time.monotonic() - started >= 0.19


def test_a_reader_that_is_too_slow(clock):
    outbox = Outbox(clock, limit=3)
    for n in range(3):
        outbox.control({"n": n})
    assert not outbox.lagging and taken(outbox) == {"n": 0}
    outbox.control({"n": 3})
    outbox.control({"n": 4})
    assert outbox.lagging
    with pytest.raises(Lagging):
        outbox.get().send(None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("sound"), st.integers(0, 130)),
        st.tuples(st.sampled_from(["control", "then", "begin", "take", "pass"]), st.integers(0, 300)),
    ),
    max_size=60,
)


@given(steps)
def test_nothing_is_lost_doubled_or_out_of_order(steps):
    clock = Clock()
    outbox = Outbox(clock)
    put, got, words, events, wanted_events, done = b"", b"", "", [], [], []
    expected_words, acts = "", 0

    def take():
        nonlocal got, words
        waiting = len(wanted_events) - len(events)
        thing = taken(outbox)
        if isinstance(thing, Sound):
            assert not waiting, "control events go first"
            assert thing.seconds <= 0.1 + 1e-6 and len(thing.data) == round(thing.seconds * 1e3 * BYTES_A_MS)
            got, words = got + thing.data, words + thing.text
        else:
            events.append(thing["n"])

    for number, (what, amount) in enumerate(steps):
        if what == "sound":
            data = bytes((number * 7 + i) % 251 for i in range(amount * BYTES_A_MS))
            put += data
            expected_words += f"w{number} "
            outbox.sound(data, amount / 1e3, f"w{number} ")
        elif what == "control":
            wanted_events.append(number)
            outbox.control({"n": number})
        elif what == "then":
            acts += 1
            outbox.then(partial(lambda before: done.append((before, len(got))), len(put)))
        elif what == "begin":
            outbox.begin()
        elif what == "pass":
            clock.now += amount / 1e3
        elif outbox.wait_s() == 0:
            take()
    outbox.then(lambda: None)
    while (wait_s := outbox.wait_s()) is not None:
        clock.now += wait_s
        if wait_s == 0:
            take()
    assert got == put and words == expected_words and events == wanted_events and outbox.depth == 0
    assert len(done) == acts
    for before, seen in done:  # `got` lacks the piece that is just being taken
        assert before - 100 * BYTES_A_MS <= seen <= before
