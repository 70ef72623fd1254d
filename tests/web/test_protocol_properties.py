"""Any sequence of valid client events: whatever a client does, what it is told fits together."""

import asyncio
import base64
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.speech import say
from tests.web.wire import Chat, Client
from voicechat.echo import EchoMemory

NAMES = ("a", "b", "c")  # ids that clients give
REFUSALS = {
    "conversation_already_has_active_response", "response_cancel_not_active", "input_audio_buffer_commit_empty",
    "item_create_invalid_item_id", "item_delete_invalid_item_id", "item_retrieve_invalid_item_id",
    "item_truncate_invalid_item_id", "invalid_value",
}  # fmt: skip
DELTAS = {
    "response.output_audio_transcript.delta": "response.output_audio_transcript.done",
    "response.output_text.delta": "response.output_text.done",
}


class SlowMemory(EchoMemory):
    """Answers take a moment, so that events come while one is being made."""

    def reply(self, messages):
        for word in super().reply(messages):
            time.sleep(0.001)
            yield word


class Timed(Chat):
    """All time is the client's."""

    def session(self, tell, clock):
        return super().session(tell, lambda: self.client.now)


@pytest.fixture(scope="module")
def chat():
    chat = Timed(SlowMemory())
    yield chat
    chat.close()


# ---- what clients do --------------------------------------------------------------------------


@cache
def sound(kind):
    """float32 at 16 kHz."""
    if kind == "speech":
        return say("what is seven times eight")[:20_000]
    if kind == "click":
        return say("what is seven times eight")[4_000:5_000]
    return (np.random.default_rng(0).standard_normal(20_000) * 1e-4).astype(np.float32)


item = st.integers(0, 7)  # of those that were told of, counted from the newest
text = st.sampled_from(["hi", "One two three. Four five six seven eight nine ten.", "word " * 60])
detection = st.one_of(
    st.none(),
    st.builds(dict, type=st.just("semantic_vad"), eagerness=st.sampled_from(["low", "high"])),
    st.builds(
        dict,
        type=st.just("server_vad"),
        silence_duration_ms=st.sampled_from([200, 500]),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
    ),
)
response = st.fixed_dictionaries(
    {},
    optional={
        "output_modalities": st.sampled_from([["text"], ["audio"]]),
        "conversation": st.sampled_from(["auto", "none"]),
        "max_output_tokens": st.sampled_from([1, 5, "inf"]),
        "instructions": st.just("Be brief."),
        "metadata": st.just({"a": "b"}),
    },
)
ANY = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(["speech", "speech", "silence", "click"])),
    st.tuples(st.just("create"), st.sampled_from(["user", "assistant", "system", "call", "clip"]), text,
              st.sampled_from([None, *NAMES]), st.one_of(st.just(None), st.just("root"), item)),
    st.tuples(st.just("respond"), response),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("delete"), item),
    st.tuples(st.just("truncate"), item, st.sampled_from([0, 300, 10**6])),
    st.tuples(st.just("retrieve"), item),
    st.tuples(st.just("detect"), detection),
    st.tuples(st.just("set"), st.sampled_from([
        {"output_modalities": ["text"]}, {"output_modalities": ["audio"]}, {"instructions": "Be kind."},
        {"audio": {"input": {"transcription": {"model": "x"}}}}, {"audio": {"input": {"transcription": None}}},
        {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 30.0])),
    st.tuples(st.just("settle")),
    st.tuples(st.just("unread"), st.booleans()),
)  # fmt: skip
# Most of what happens happens in turns, so these come as often as everything else together.
TURNS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from([0.3, 0.7, 1.2])),
    st.tuples(st.just("ask"), text, response),
    st.tuples(st.just("push"), response),
)
STEPS = st.lists(st.one_of(ANY, TURNS), min_size=8, max_size=20)


class Driver(Client):
    """Carries the steps out. While it does not read, what it is sent waits; time goes on."""

    reads = True

    async def drain(self):
        if self.reads:
            await super().drain()

    def told_of(self, number):
        ids = [e["item"]["id"] for e in self.of("conversation.item.added")]
        return ids[-1 - number % len(ids)] if ids else "none"

    async def step(self, kind, *given):
        match kind, given:
            case "append", (name,):
                await self.append(sound(name))
            case "say", (quiet_s,):
                await self.append(sound("speech"))
                await self.append(sound("silence")[: round(quiet_s * 16_000)])
            case "ask", (words, wanted):
                await self.send("conversation.item.create", item=made("user", words, None))
                await self.send("response.create", response=wanted)
            case "push", (wanted,):
                await self.append(sound("speech"))
                await self.send("input_audio_buffer.commit")
                await self.send("response.create", response=wanted)
            case "create", (role, words, id, after):
                fields = (
                    {} if after is None else {"previous_item_id": after if after == "root" else self.told_of(after)}
                )
                await self.send("conversation.item.create", item=made(role, words, id), **fields)
            case "respond", (wanted,):
                await self.send("response.create", response=wanted)
            case "delete" | "retrieve", (number,):
                await self.send(f"conversation.item.{kind}", item_id=self.told_of(number))
            case "truncate", (number, ms):
                await self.send("conversation.item.truncate", item_id=self.told_of(number), content_index=0,
                                audio_end_ms=ms)  # fmt: skip
            case "detect", (wanted,):
                await self.update(audio={"input": {"turn_detection": wanted}})
            case "set", (wanted,):
                await self.update(**wanted)
            case "cancel", ():
                await self.send("response.cancel")
            case "commit" | "clear", ():
                await self.send(f"input_audio_buffer.{kind}")
            case "wait", (seconds,):
                await self.pass_time(seconds)
            case "settle", ():
                await self.realtime.session.idle()
                await self.drain()
            case "unread", (unread,):
                self.reads = not unread

    async def append(self, samples):
        """Speech takes its time."""
        data = (np.repeat(samples, 3)[::2] * 20_000).astype("<i2").tobytes()  # to 24 kHz, roughly
        for at in range(0, len(data), 9_600):
            self.now += 0.2
            audio = base64.b64encode(data[at : at + 9_600]).decode()
            await self.send("input_audio_buffer.append", audio=audio)
            await asyncio.sleep(0)

    async def update(self, **session):
        await self.send("session.update", session={"type": "realtime", **session})

    async def pass_time(self, seconds):
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.5)
            self.realtime.session.look()  # as the server does, by its own clock
            await asyncio.sleep(0)
            await self.drain()


def made(role, words, id):
    known = {} if id is None else {"id": id}
    if role == "call":
        return {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}", **known}
    if role == "clip":
        audio = base64.b64encode(bytes(9_600)).decode()
        content = [{"type": "input_audio", "audio": audio}]
        return {"type": "message", "role": "user", "content": content, **known}
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}], **known}


# ---- what must hold ---------------------------------------------------------------------------


def hold_together(events):
    """The whole of what a client was told, each event of which is valid by itself. -> the items that are there."""
    ids = [e["event_id"] for e in events]
    assert len(set(ids)) == len(ids)
    items, ever, answers, committed = [], set(), {}, None
    current, over, words = None, set(), ""
    for event in events:
        kind, id = event["type"], event.get("item_id")
        assert kind != "error" or event["error"]["code"] in REFUSALS, event
        if committed is not None:  # its item follows at once
            assert (kind, event["item"]["id"]) == ("conversation.item.added", committed)
            committed = None
        if event.get("previous_item_id") is not None:
            assert event["previous_item_id"] in items
        match kind:
            case "input_audio_buffer.committed":
                committed = id
            case "conversation.item.added":
                assert event["item"]["id"] not in items
                before = event["previous_item_id"]
                items.insert(0 if before is None else items.index(before) + 1, event["item"]["id"])
                ever.add(event["item"]["id"])
            case "conversation.item.done" | "conversation.item.retrieved":
                assert event["item"]["id"] in items
            case "conversation.item.deleted":
                items.remove(id)
            case "conversation.item.truncated":
                assert id in items
            case "response.created":
                assert current is None and event["response"]["id"] not in over
                current, words = event["response"]["id"], ""
            case "response.done":
                assert current == event["response"]["id"]
                (output,) = event["response"]["output"]
                (part,) = output["content"]
                assert part.get("transcript", part.get("text")) == words and output["id"] == answers[current]
                assert (event["response"]["status"] == "completed") == (output["status"] == "completed")
                current = None
                over.add(event["response"]["id"])
            case "response.output_item.added":
                answers[current] = event["item"]["id"]
        if kind.startswith("response.") and kind not in ("response.created", "response.done"):
            assert event["response_id"] == current is not None
            assert id in (None, answers[current])
        elif id is not None and kind.startswith("conversation."):
            assert id in ever
        if kind in DELTAS:
            words += event["delta"]
        if kind in DELTAS.values():
            assert event.get("transcript", event.get("text")) == words
    assert committed is None
    return items, ever, current


async def converse(chat, ahead_s, steps):
    chat.client = client = Driver(chat, ahead_s=ahead_s)
    async with client:
        for step in steps:
            await client.step(*step)
        client.reads = True
        for _ in range(2):  # whoever falls silent with the microphone is answered, a second later
            await client.realtime.session.idle()
            await client.pass_time(100)
        await client.settle()
        items, ever, current = hold_together(client.events)
        assert current is None, "a response that is not over"
        for id in ever:  # the server has the same items
            (told,) = await client.send("conversation.item.retrieve", item_id=id)
            assert told["type"] == ("conversation.item.retrieved" if id in items else "error")


UNINTERRUPTED = {"type": "server_vad", "interrupt_response": False}
NEXT_QUESTION = [
    ("detect", UNINTERRUPTED), ("unread", True), ("ask", "hi", {}), ("settle",), ("wait", 30.0), ("say", 1.2),
]  # fmt: skip
CHANGED_MODE = [("say", 1.2), ("settle",), ("wait", 30.0), ("detect", None), ("push", {})]


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ahead_s=st.sampled_from([2.0, 1e9]), steps=STEPS)
@example(ahead_s=2.0, steps=NEXT_QUESTION)  # while the client has not taken the answer to the one before
@example(ahead_s=2.0, steps=CHANGED_MODE)  # from turns by voice to push-to-talk
def test_what_a_client_is_told_fits_together(chat, ahead_s, steps):
    asyncio.run(converse(chat, ahead_s, steps))
