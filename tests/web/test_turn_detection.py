"""Turn taking as clients of the Realtime protocol meet it: semantic_vad, holding, a long silence."""

import pytest

from tests.speech import say
from tests.voicechat.test_taking_turns import LONG, Judge
from tests.web.wire import Chat, Client
from voicechat.blocking import Urgency

QUESTION, YEAH = 0.5 * say("what is seven times eight"), 0.5 * say("yeah")
SEMANTIC = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}


PASSED = [0.0]  # seconds, by the clock of these tests


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("web.realtime.monotonic", lambda: PASSED[0])


@pytest.fixture
def talk():
    """-> a client of a conversation with this model."""
    chats = []

    def talk_(memory, extras=True):
        chats.append(Chat(memory))
        return Client(chats[-1], extras)

    yield talk_
    for chat in chats:
        chat.close()


async def hear(client, *parts):
    """As a microphone delivers it; whatever a piece causes happens before the next."""
    for part in parts:
        pieces = [part[at : at + 512] for at in range(0, len(part), 512)] if hasattr(part, "shape") else []
        for piece in pieces or [0.032] * round(part / 0.032):
            await client.speak(piece)
            PASSED[0] += 0.032
            session = client.realtime.session
            for _ in range(4):
                await session.answering._thinking.run(lambda: None, Urgency.TRANSCRIBE)
                await session.answering._speaking.run(lambda: None, Urgency.TRANSCRIBE)
            await client.drain()


def gains(client):
    told = [e["event"] for e in client.of("voicechat.event")]
    return [event["gain"] for event in told if event["type"] == "yielded"]


async def test_semantic_vad_answers_what_is_complete_at_once(talk):
    async with talk(Judge("Fifty-six."), extras=False) as client:
        await client.send("session.update", session=SEMANTIC)
        await hear(client, 0.3, QUESTION, 0.32)
        assert client.of("response.created") and client.of("response.output_audio.delta")


async def test_semantic_vad_waits_for_what_is_not(talk):
    async with talk(Judge("...Go on.", "Done."), extras=False) as client:
        await client.send("session.update", session=SEMANTIC)
        await hear(client, 0.3, QUESTION, 1.5)
        assert client.kinds()[-1] == "input_audio_buffer.speech_started"
        await hear(client, QUESTION, 0.4)
        await client.settle()
        assert client.last("response.done")["response"]["output"][0]["content"][0]["transcript"].strip() == "Done."
        assert len(client.of("input_audio_buffer.committed")) == 1


@pytest.mark.parametrize("eagerness, waits", [("low", True), ("high", False)])
async def test_eagerness_is_patience(talk, eagerness, waits):
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    async with talk(Judge("...Go on."), extras=False) as client:
        await client.send("session.update", session={**SEMANTIC, "audio": {"input": {"turn_detection": detection}}})
        await hear(client, 0.3, QUESTION, 1.6)
        assert waits == (not client.of("response.created"))


async def test_what_asks_for_nothing_is_taken_back_without_a_response(talk):
    async with talk(Judge("#Mm."), extras=False) as client:
        await client.send("session.update", session=SEMANTIC)
        await hear(client, 0.3, QUESTION, 0.6)
        assert [kind for kind in client.kinds() if not kind.startswith("session")] == [
            "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
            "conversation.item.added", "conversation.item.done", "conversation.item.deleted",
        ]  # fmt: skip
        started, deleted = client.last("input_audio_buffer.speech_started"), client.last("conversation.item.deleted")
        assert started["item_id"] == deleted["item_id"]


async def test_server_vad_keeps_to_its_silence(talk):
    async with talk(Judge("...Go on."), extras=False) as client:
        await hear(client, 0.3, QUESTION, 0.4)
        assert not client.of("response.created")
        await hear(client, 0.3)
        assert client.of("response.created")


async def test_a_sign_of_listening_holds_the_answer_and_the_protocol_is_not_told(talk):
    async with talk(Judge(LONG, asides="#Mm.")) as client:
        await client.write("count")
        await client.realtime.session.idle()
        await client.drain()
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.send("voicechat.played", item_id=answer, audio_ms=900)
        await hear(client, 0.2, YEAH, 0.4)
        assert gains(client) == [0.2, 0.0, 1.0]
        assert not client.of("input_audio_buffer.speech_started") and not client.of("input_audio_buffer.committed")
        states = [e["state"] for e in client.of("voicechat.event")]
        assert "hearing" in states and states[-1] == "speaking"
        await client.send("voicechat.played", item_id=answer, audio_ms=60_000)
        assert client.last("response.done")["response"]["status"] == "completed"


async def test_an_interruption_is_told_when_it_is_sure(talk):
    async with talk(Judge(LONG, "Fifty-six.")) as client:
        client.outbox._ahead_s = 0.5  # much of the answer has not gone out
        await client.write("count")
        await client.realtime.session.idle()
        await client.drain()
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.send("voicechat.played", item_id=answer, audio_ms=900)
        seen = len(client.events)
        await hear(client, 0.2, QUESTION, 0.6)
        assert gains(client)[:2] == [0.2, 0.0]
        after = [e for e in client.events[seen:] if e["type"] != "voicechat.event" or e["event"]["type"] == "yielded"]
        kinds = [e["type"] for e in after if not e["type"].endswith(".delta")]
        at = kinds.index("input_audio_buffer.speech_started")
        assert kinds[:at] == ["voicechat.event"] * 2 and kinds[at + 1] == "response.output_audio.done"
        done = next(e for e in after if e["type"] == "response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await client.settle()
        assert client.last("response.done")["response"]["status"] == "completed"


async def test_of_an_answer_that_was_begun_too_early_no_word_is_kept(talk):
    async with talk(Judge("Fifty-six, I believe it is.", "Done.")) as client:
        await client.send("session.update", session=SEMANTIC)
        await hear(client, 0.3, QUESTION, 0.32)
        answer = client.last("response.output_item.added")["item"]["id"]
        await client.send("voicechat.played", item_id=answer, audio_ms=100)
        await hear(client, QUESTION, 0.4)
        assert client.last("conversation.item.truncated")["item_id"] == answer
        (known,) = await client.send("conversation.item.retrieve", item_id=answer)
        assert known["item"]["content"][0]["transcript"] == ""
        await client.settle()
        assert client.last("response.done")["response"]["output"][0]["content"][0]["transcript"].strip() == "Done."


async def test_a_client_without_extras_is_interrupted_at_once(talk):
    async with talk(Judge(LONG), extras=False) as client:
        client.outbox._ahead_s = 0.5
        await client.write("count")
        await client.realtime.session.idle()
        await client.drain()
        PASSED[0] += 0.6  # by the clock the answer has begun to play
        await hear(client, 0.2, QUESTION[:6000])
        assert client.last("response.done")["response"]["status"] == "cancelled"


async def test_a_long_silence_prompts_once(talk):
    detection = {"type": "server_vad", "idle_timeout_ms": 1500}
    async with talk(Judge("Hello."), extras=False) as client:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        (updated,) = await client.send("session.update", session=session)
        assert updated["session"]["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 1500
        await hear(client, 1.2)
        assert not client.of("input_audio_buffer.timeout_triggered")
        await hear(client, 6.0)
        assert len(client.of("input_audio_buffer.timeout_triggered")) == len(client.of("response.created")) == 1


async def test_an_idle_timeout_that_cannot_be_meant(talk):
    detection = {"type": "server_vad", "idle_timeout_ms": 10}
    async with talk(Judge("Hello.")) as client:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        (error,) = await client.send("session.update", session=session)
        assert error["error"]["code"] == "invalid_value" and "idle_timeout_ms" in error["error"]["message"]
