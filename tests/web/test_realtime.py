"""The Realtime protocol: each rule that clients rely on. Every event that comes is checked against openai's types."""

import base64

import numpy as np
import pytest

from tests.speech import say
from tests.voicechat.test_session import Broken, Patient
from tests.web.wire import Chat, Client
from voicechat.echo import EchoMemory
from web import items, realtime
from web.sound import Encoder, Format

QUESTION = 0.5 * say("what is seven times eight")
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one two three four five six"}]}
NO_VAD = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


@pytest.fixture
def chat():
    chat = Chat()
    yield chat
    chat.close()


@pytest.fixture
def patient():
    chat = Chat(Patient())
    yield chat
    chat.memory.go.release(1000)
    chat.close()


async def until(client: Client, type: str) -> dict:
    import asyncio

    for _ in range(1000):
        await client.drain()
        if client.of(type):
            return client.last(type)
        await asyncio.sleep(0.002)
    raise AssertionError(f"no {type} among {client.kinds()}")


async def test_a_voice_turn_in_the_order_that_clients_expect(chat):
    async with Client(chat) as client:
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"transcription": {}}}})
        await client.speak(0.5, QUESTION, 1.0)
        await client.settle()
        spoken = ("response.output_audio.delta", "response.output_audio_transcript.delta")
        written = "conversation.item.input_audio_transcription"
        kinds = [k for k in client.kinds() if k not in spoken and not k.startswith(written)]
        assert kinds == [
            "session.created", "session.updated",
            "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
            "conversation.item.added", "conversation.item.done",
            "response.created", "response.output_item.added", "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
            "conversation.item.done", "response.output_item.done", "response.done",
        ]  # fmt: skip
        order = [e["type"] for e in client.events]
        assert order.index("response.content_part.added") < min(map(order.index, spoken))
        assert max(len(order) - order[::-1].index(s) for s in spoken) <= order.index("response.output_audio.done")
        started = client.last("input_audio_buffer.speech_started")
        stopped = client.last("input_audio_buffer.speech_stopped")
        user = started["item_id"]
        assert 100 < started["audio_start_ms"] < 600 and stopped["audio_end_ms"] > 2000
        assert stopped["item_id"] == user == client.last("input_audio_buffer.committed")["item_id"]
        added = client.of("conversation.item.added")
        assert [a["item"]["role"] for a in added] == ["user", "assistant"]
        assert added[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
        assert added[1]["previous_item_id"] == user
        done = client.last("response.done")["response"]
        said = "".join(e["delta"] for e in client.of("response.output_audio_transcript.delta"))
        assert done["status"] == "completed" and done["output"][0]["content"][0]["transcript"] == said
        assert done["usage"]["output_tokens"] > 3
        assert client.last("conversation.item.input_audio_transcription.completed")["item_id"] == user
        sound = b"".join(base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta"))
        assert 0.4 < len(sound) / 48_000 < 2.0 and np.abs(np.frombuffer(sound, "<i2")).max() > 3000


async def test_the_whole_configuration_is_echoed_with_its_defaults(chat):
    async with Client(chat) as client:
        detection = client.last("session.created")["session"]["audio"]["input"]["turn_detection"]
        assert detection["create_response"] is True and detection["interrupt_response"] is True
        for given, filled in (
            ({"type": "semantic_vad"}, {"eagerness": "auto", "create_response": True, "interrupt_response": True}),
            ({"type": "server_vad", "threshold": 0.7}, {"silence_duration_ms": 500, "interrupt_response": True}),
            ({"type": "server_vad", "create_response": False}, {"threshold": 0.7, "interrupt_response": True}),
        ):
            session = {"type": "realtime", "audio": {"input": {"turn_detection": given}}}
            (updated,) = await client.send("session.update", session=session)
            echoed = updated["session"]["audio"]["input"]["turn_detection"]
            assert echoed.items() >= {**given, **filled}.items()
        (updated,) = await client.send("session.update", session=NO_VAD)
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        assert updated["session"]["audio"]["output"]["voice"] == "tone"


@pytest.mark.parametrize(
    ("session", "code", "param", "told"),
    [
        ({"modalities": ["text"]}, "unknown_parameter", "session.modalities", "output_modalities"),
        ({"instructions": "x"}, "missing_required_parameter", "session.type", "'realtime'"),
        ({"type": "realtime", "instruction": "x"}, "unknown_parameter", "session.instruction", "'instructions'"),
        ({"type": "transcription"}, "invalid_value", "session.type", "realtime"),
        ({"type": "realtime", "audio": {"output": {"voice": "nobody"}}}, "invalid_value", None, "no voice"),
        ({"type": "realtime", "audio": {"output": {"speed": 9}}}, "invalid_value", None, "0.25 to 1.5"),
        ({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
         "invalid_value", None, "24000"),
        ({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
         "invalid_value", None, "threshold"),
        ({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 0}}}},
         "invalid_value", None, "silence_s"),
    ],
)  # fmt: skip
async def test_settings_that_cannot_be_are_refused_and_nothing_changes(chat, session, code, param, told):
    async with Client(chat) as client:
        (error,) = await client.send("session.update", session=session, event_id="mine")
        assert error["error"]["code"] == code and error["error"]["event_id"] == "mine"
        assert told in error["error"]["message"] and (param is None or error["error"]["param"] == param)
        (updated,) = await client.send("session.update", session={"type": "realtime"})
        assert updated["session"] == client.of("session.created")[0]["session"]


async def test_names_of_openais_voices_are_voices(chat):
    async with Client(chat) as client:
        for name in ("marin", "ash", "espeak:en-gb+f2"):
            session = {"type": "realtime", "audio": {"output": {"voice": name, "speed": 1.2}}}
            (updated,) = await client.send("session.update", session=session)
            assert updated["session"]["audio"]["output"]["voice"] == name
        await client.write("hello")
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"


async def test_items_keep_their_ids_and_their_places(chat):
    async with Client(chat) as client:
        added, done = await client.send("conversation.item.create", item={**USER, "id": "b"})
        assert added["item"] == done["item"] and added["item"]["id"] == "b" and added["previous_item_id"] is None
        added, _ = await client.send("conversation.item.create", item={**USER, "id": "a"}, previous_item_id="root")
        assert added["previous_item_id"] is None
        added, _ = await client.send("conversation.item.create", item={**USER, "id": "c"}, previous_item_id="a")
        assert added["previous_item_id"] == "a"
        call = {"type": "function_call", "id": "f", "call_id": "x", "name": "look", "arguments": "{}"}
        added, _ = await client.send("conversation.item.create", item=call, previous_item_id="c")
        assert added["item"].items() >= call.items()
        output = {"type": "function_call_output", "call_id": "x", "output": "42"}
        await client.send("conversation.item.create", item=output)
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so it is"}]}
        await client.send("conversation.item.create", item={**said, "id": "d"})
        assert [m.id for m in client.realtime.session.conversation.messages] == ["a", "c", "b", "d"]
        (error,) = await client.send("conversation.item.create", item={**USER, "id": "a"})
        assert "taken" in error["error"]["message"]
        (deleted,) = await client.send("conversation.item.delete", item_id="b")
        assert deleted == {"event_id": deleted["event_id"], "type": "conversation.item.deleted", "item_id": "b"}
        (got,) = await client.send("conversation.item.retrieve", item_id="d")
        assert got["item"]["content"] == [{"type": "output_text", "text": "so it is"}]
        for event in ("retrieve", "delete"):
            (error,) = await client.send(f"conversation.item.{event}", item_id="b")
            assert error["error"]["code"] == f"item_{event}_invalid_item_id"


async def test_metadata_comes_back_and_a_second_response_is_refused(patient):
    async with Client(patient) as client:
        await client.write("hello", metadata={"client_event_id": "e1"})
        created = await until(client, "response.created")
        assert created["response"]["metadata"] == {"client_event_id": "e1"}
        (error,) = await client.send("response.create", event_id="e2")
        assert error["error"]["code"] == "conversation_already_has_active_response"
        assert error["error"]["event_id"] == "e2"
        patient.memory.go.release(100)
        await client.settle()
        assert len(client.of("response.done")) == 1
        await client.send("response.create")
        await client.settle()
        assert len(client.of("response.done")) == 2 == len(client.of("response.created"))


async def test_cancelling(patient):
    async with Client(patient) as client:
        (error,) = await client.send("response.cancel")
        assert error["error"]["code"] == "response_cancel_not_active"
        assert error["error"]["message"].startswith("Cancellation failed")
        await client.write("hello")
        created = await until(client, "response.created")
        (error,) = await client.send("response.cancel", response_id="resp_other")
        assert error["error"]["code"] == "response_cancel_not_active"
        events = await client.send("response.cancel", response_id=created["response"]["id"])
        assert [e["type"] for e in events][-1] == "response.done"
        done = events[-1]["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        (error,) = await client.send("response.cancel")
        assert error["error"]["code"] == "response_cancel_not_active"
        patient.memory.go.release(100)
        await client.write("again")
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"


async def test_barge_in_is_told_first_then_the_answer_closes_then_the_client_cuts_it(chat):
    async with Client(chat, ahead_s=0.5) as client:
        await client.write("one two three four five six seven eight nine ten eleven twelve")
        await client.realtime.session.idle()
        await client.drain()
        assert not client.of("response.done")  # the client has half a second of it
        seen = len(client.events)
        await client.speak(0.2, QUESTION)
        after = [e["type"] for e in client.events[seen:]]
        assert after == [
            "input_audio_buffer.speech_started",
            "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
            "conversation.item.done", "response.output_item.done", "response.done",
        ]  # fmt: skip
        done = client.last("response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert done["output"][0]["status"] == "incomplete"
        answer = done["output"][0]["id"]
        transcript = client.last("response.output_audio_transcript.done")["transcript"]
        assert transcript.startswith("You wrote: one") and "twelve" not in transcript
        (truncated,) = await client.send(
            "conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=250
        )
        assert truncated["audio_end_ms"] == 250
        (got,) = await client.send("conversation.item.retrieve", item_id=answer)
        assert got["item"]["content"] == [{"type": "output_audio", "transcript": "You wrote: one"}]
        assert client.realtime.session.conversation.find(answer).text == "You wrote: one"
        for later in (300, 999_999):  # gives nothing back
            (truncated,) = await client.send(
                "conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=later
            )
            assert truncated["audio_end_ms"] == 250
            (got,) = await client.send("conversation.item.retrieve", item_id=answer)
            assert got["item"]["content"] == [{"type": "output_audio", "transcript": "You wrote: one"}]
            assert client.realtime.session.conversation.find(answer).text == "You wrote: one"


async def test_no_more_than_was_sent_can_have_been_heard(chat):
    async with Client(chat) as client:
        await client.write("one two three")
        await client.settle()
        answer = client.last("response.done")["response"]["output"][0]["id"]
        (truncated,) = await client.send(
            "conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=999_999
        )
        assert 300 < truncated["audio_end_ms"] < 700


async def test_an_answer_that_is_cut_while_its_sound_waits_to_be_sent_stays_cut(chat):
    """Also where the session, which knows no better, takes all of it for played."""
    async with Client(chat, ahead_s=0.2) as client:
        await client.write("one two three four five six seven eight nine ten eleven twelve")
        await client.realtime.session.idle()
        await client.drain()
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.realtime.session.played(1, 1000)
        await client.send("conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=100)
        seen, client.now = len(client.events), 1000
        await client.settle()
        assert not [e for e in client.events[seen:] if e["type"].endswith(".delta")]
        assert client.last("response.done")["response"]["status"] == "cancelled"
        (got,) = await client.send("conversation.item.retrieve", item_id=answer)
        assert got["item"]["content"] == [{"type": "output_audio", "transcript": "You"}]


async def test_an_answer_of_which_nothing_has_sounded_can_be_cut(patient):
    async with Client(patient) as client:
        await client.write("count")
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.send("conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=0)
        patient.memory.go.release(50)
        await client.settle()
        assert client.realtime.session.conversation.find(answer).text == ""
        assert client.last("response.done")["response"]["status"] == "cancelled"


async def test_an_answer_to_read_is_not_cut_by_its_sound(chat):
    async with Client(chat) as client:
        await client.write("hello", output_modalities=["text"])
        await client.settle()
        answer = client.last("response.done")["response"]["output"][0]["id"]
        (error,) = await client.send("conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=0)
        assert error["error"]["code"] == "item_truncate_invalid_item_id"
        assert "hello" in client.realtime.session.conversation.find(answer).text


async def test_a_cancel_behind_the_truncate_that_ended_the_answer_is_no_error(chat):
    async with Client(chat, ahead_s=0.2) as client:
        await client.write("one two three four five six seven eight nine ten eleven twelve")
        await client.realtime.session.idle()
        await client.drain()
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.send("conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=100)
        assert client.last("response.done")["response"]["status"] == "cancelled"
        assert await client.send("response.cancel") == []
        (error,) = await client.send("response.cancel")
        assert error["error"]["code"] == "response_cancel_not_active"


async def test_an_application_may_ask_for_the_first_word(chat):
    async with Client(chat) as client:
        await client.send("response.create", response={"instructions": "Greet the user."})
        await client.settle()
        assert client.last("response.output_audio_transcript.done")["transcript"] == "You wrote: Hello.. "
        assert [m.role for m in client.realtime.session.conversation.messages] == ["assistant"]


async def test_cutting_what_is_no_answer(chat):
    async with Client(chat) as client:
        await client.send("conversation.item.create", item={**USER, "id": "a"})
        for id in ("a", "nowhere"):
            (error,) = await client.send("conversation.item.truncate", item_id=id, content_index=0, audio_end_ms=1)
            assert error["error"]["code"] == "item_truncate_invalid_item_id"


async def test_going_on_before_the_answer_sounds_takes_the_question_back(patient):
    async with Client(patient) as client:
        await client.speak(0.3, say("what is four plus"), 0.7)
        first = client.last("input_audio_buffer.committed")["item_id"]
        await client.speak(say("five"), 0.7)
        patient.memory.go.release(100)
        await client.settle()
        assert [d["item_id"] for d in client.of("conversation.item.deleted")] == [first]
        statuses = [d["response"]["status"] for d in client.of("response.done")]
        assert statuses == ["cancelled", "completed"]
        last = client.last("input_audio_buffer.committed")
        assert last["item_id"] != first and last["previous_item_id"] != first


async def test_push_to_talk(chat):
    async with Client(chat) as client:
        await client.send("session.update", session=NO_VAD)
        (error,) = await client.send("input_audio_buffer.commit")
        assert error["error"]["code"] == "input_audio_buffer_commit_empty"
        await client.speak(QUESTION)
        (cleared,) = await client.send("input_audio_buffer.clear")
        assert cleared["type"] == "input_audio_buffer.cleared"
        (error,) = await client.send("input_audio_buffer.commit")
        assert error["error"]["code"] == "input_audio_buffer_commit_empty"
        await client.speak(QUESTION)
        events = await client.send("input_audio_buffer.commit")
        assert [e["type"] for e in events] == [
            "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done",
        ]  # fmt: skip
        await client.settle()
        assert not client.of("response.created") and not client.of("input_audio_buffer.speech_started")
        await client.send("response.create")
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"
        assert (
            f"{len(QUESTION) / 16_000:.1f} seconds"
            in client.last("response.output_audio_transcript.done")["transcript"]
        )


async def test_speech_without_an_answer_and_an_answer_that_speech_does_not_stop(chat):
    async with Client(chat) as client:
        detection = {"type": "server_vad", "create_response": False, "interrupt_response": False}
        await client.send(
            "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        )
        await client.speak(0.3, QUESTION, 1.0)
        await client.settle()
        assert client.of("input_audio_buffer.committed") and not client.of("response.created")
        await client.send("response.create")
        await client.speak(QUESTION, 1.0)
        await client.settle()
        assert [d["response"]["status"] for d in client.of("response.done")] == ["completed"]


async def test_an_answer_to_read(chat):
    async with Client(chat) as client:
        await client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        await client.write("hello")
        await client.settle()
        text = "".join(e["delta"] for e in client.of("response.output_text.delta"))
        assert text == client.last("response.output_text.done")["text"] == "You wrote: hello. "
        assert client.last("response.done")["response"]["output"][0]["content"] == [
            {"type": "output_text", "text": text}
        ]
        assert not any("audio" in k for k in client.kinds())
        await client.write("again", output_modalities=["audio"])
        await client.settle()
        assert client.of("response.output_audio.delta")


async def test_a_response_of_its_own_and_one_that_is_cut(chat):
    async with Client(chat) as client:
        await client.send("conversation.item.create", item={**USER, "id": "a"})
        aside = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "aside"}]}
        await client.send(
            "response.create", response={"conversation": "none", "input": [aside], "output_modalities": ["text"]}
        )
        await client.settle()
        done = client.last("response.done")["response"]
        assert done["output"][0]["content"][0]["text"] == "You wrote: aside. " and done["conversation_id"] is None
        assert [m.id for m in client.realtime.session.conversation.messages] == ["a"]
        reference = {"type": "item_reference", "id": "a"}
        await client.send("response.create", response={"input": [reference], "max_output_tokens": 3})
        await client.settle()
        done = client.last("response.done")["response"]
        assert done["status"] == "incomplete"
        assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert done["output"][0]["content"][0]["transcript"] == "You wrote: one "


async def test_an_attached_clip_belongs_to_the_next_question(chat):
    async with Client(chat) as client:
        audio = base64.b64encode(np.zeros(24_000, "<i2").tobytes()).decode()
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
        (added, _) = await client.send("conversation.item.create", item=item)
        assert "audio" not in added["item"]["content"][0]
        await client.write("what is this")
        await client.settle()
        said = client.last("response.output_audio_transcript.done")["transcript"]
        assert said.startswith("I heard 1.0 seconds of sound. You wrote: what is this")
        short = {**item, "content": [{"type": "input_audio", "audio": audio[:400]}]}
        (error,) = await client.send("conversation.item.create", item=short)
        assert "0.1 s" in error["error"]["message"]


async def test_telephone_sound(chat):
    async with Client(chat) as client:
        law = {"type": "audio/pcmu"}
        session = {"type": "realtime", "audio": {"input": {"format": law}, "output": {"format": law}}}
        await client.send("session.update", session=session)
        await client.speak(0.5, QUESTION, 1.0, format=lambda s: Encoder(Format.of(law)).push(s, 8000))
        await client.settle()
        sound = b"".join(base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta"))
        assert 0.4 < len(sound) / 8000 < 2.0


async def test_a_failing_model_ends_its_response_and_the_conversation_goes_on():
    chat = Chat(Broken())
    async with Client(chat) as client:
        await client.write("hello")
        await client.settle()
        done = client.last("response.done")["response"]
        assert done["status"] == "failed" and "out of memory" in done["status_details"]["error"]["message"]
        assert not client.of("error")
        chat.memory.broken = False
        await client.write("again")
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"
    chat.close()


async def test_tools_are_taken_and_shown_and_never_called(chat):
    async with Client(chat) as client:
        tool = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}}
        (updated,) = await client.send("session.update", session={"type": "realtime", "tools": [tool]})
        assert updated["session"]["tools"] == [tool]
        await client.write("look", tool_choice="auto", tools=[tool])
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"


async def test_extras_only_where_they_were_asked_for(chat):
    async with Client(chat) as client:
        (error,) = await client.send("voicechat.played", item_id="x", audio_ms=1)
        assert "extras=1" in error["error"]["message"]
        await client.write("hello")
        await client.settle()
        assert not any(k.startswith("voicechat.") for k in client.kinds())
    async with Client(chat, extras=True) as client:
        await client.write("hello")
        await client.settle()
        told = [e["event"]["type"] for e in client.of("voicechat.event")]
        assert {"turn_started", "text_delta", "answered", "turn_ended", "state"} <= set(told)
        ended = next(e["event"] for e in client.of("voicechat.event") if e["event"]["type"] == "turn_ended")
        assert ended["timing"]["first_audio_ms"] > 0
        answer = client.last("response.done")["response"]["output"][0]["id"]
        await client.send("voicechat.played", item_id=answer, audio_ms=60_000)
        assert client.last("voicechat.event")["state"] == "listening"


async def test_the_playback_clock_decides_what_was_heard(chat):
    async with Client(chat, extras=True) as client:
        await client.write("one two three four five six seven eight nine ten")
        await client.settle()
        answer = client.last("response.done")["response"]["output"][0]["id"]
        await client.send("voicechat.played", item_id=answer, audio_ms=330)
        await client.speak(0.2, QUESTION)
        assert client.realtime.session.conversation.find(answer).text == "You wrote: one two"


async def test_a_goodbye_finishes_the_sentence(chat):
    async with Client(chat, ahead_s=0.3) as client:
        await client.write("one two three. Four five six seven eight nine ten")
        await client.realtime.session.idle()
        await client.drain()
        await client.realtime.say_goodbye()
        client.now += 60
        await client.drain()
        done = client.last("response.done")["response"]
        assert done["status"] == "cancelled"
        assert done["output"][0]["content"][0]["transcript"] == "You wrote: one two three. "


@pytest.mark.parametrize("blank", [" ", "\n\t", "\u200b\ufeff"])
async def test_blanks_are_no_message(chat, blank):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": blank}]}
    async with Client(chat) as client:
        (error,) = await client.send("conversation.item.create", item=item)
        assert error["error"]["message"] == "this message is empty or blank: give it text or audio"
        (error,) = await client.send("response.create", response={"input": [item]})
        assert "empty or blank" in error["error"]["message"]
        assert client.realtime.session.conversation.messages == []


class Narrow(EchoMemory):
    def refuses(self, instructions):
        return "the instructions are too long: shorten them" if len(instructions) > 20 else ""


async def test_instructions_that_are_too_long_are_refused_where_they_are_given():
    chat = Chat(Narrow())
    async with Client(chat) as client:
        await client.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        session = {"type": "realtime", "instructions": "Be brief. " * 9, "output_modalities": ["text"]}
        (error,) = await client.send("session.update", session=session)
        assert error["error"]["message"] == "the instructions are too long: shorten them; nothing was changed"
        assert error["error"]["param"] == "session.instructions"
        (updated,) = await client.send("session.update", session={"type": "realtime"})
        assert updated["session"]["instructions"] == "Be brief."
        assert updated["session"]["output_modalities"] == ["audio"]
        assert client.realtime.session.conversation.instructions == "Be brief."
    chat.close()


async def test_a_conversation_holds_so_much_and_no_more(chat, monkeypatch):
    """Items, characters and sound: what is full is named, the rest goes on, and deleting makes room."""
    monkeypatch.setattr(items, "MAX_ITEMS", 3)
    monkeypatch.setattr(items, "MAX_TEXT", 3000)
    monkeypatch.setattr(realtime, "MAX_SOUND_S", 5.0)

    async def put(*content):
        item = {"type": "message", "role": "user", "content": list(content)}
        return (await client.send("conversation.item.create", item=item))[0]

    async with Client(chat) as client:
        for _ in range(3):
            added = await put({"type": "input_text", "text": "hello"})
            assert added["type"] == "conversation.item.added"
        full = await put({"type": "input_text", "text": "hello"})
        assert full["error"]["code"] == "conversation_full" and "3 items" in full["error"]["message"]
        await client.send("conversation.item.delete", item_id=added["item"]["id"])
        full = await put({"type": "input_text", "text": "x" * 3000})
        assert full["error"]["code"] == "conversation_full" and "3000 characters" in full["error"]["message"]
        assert (await put({"type": "input_text", "text": "hello"}))["type"] == "conversation.item.added"
    async with Client(chat) as client:
        clip = {"type": "input_audio", "audio": base64.b64encode(bytes(48_000 * 6)).decode()}
        assert (await put(clip))["type"] == "conversation.item.added"
        full = await put(clip)
        assert (
            full["error"]["code"] == "conversation_full"
            and "minutes of sound: delete a clip" in full["error"]["message"]
        )
        assert (await put({"type": "input_text", "text": "hello"}))["type"] == "conversation.item.added"
