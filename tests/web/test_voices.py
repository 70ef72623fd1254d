"""Voices over the wire: by name, in mid-conversation, and never a file of the server's."""

import pytest

from tests.web.wire import Chat, Client

NATURAL = "piper:en_US-joe-medium"


@pytest.fixture
def chat():
    made = Chat()
    yield made
    made.close()


async def told(client, voice):
    output = {"voice": voice} if isinstance(voice, str) else voice
    session = {"type": "realtime", "audio": {"output": output}}
    (answer,) = await client.send("session.update", session=session)
    return answer


async def seconds(client, words):
    """Of sound, that the parrot takes to say these words."""
    await client.write(words)
    await client.settle()
    done = client.last("response.done")["response"]
    assert done["status"] == "completed" and words in done["output"][0]["content"][0]["transcript"]
    id = done["id"]
    sound = [e["delta"] for e in client.of("response.output_audio.delta") if e["response_id"] == id]
    return sum(len(delta) for delta in sound) * 3 / 4 / 2 / 24_000


async def test_another_voice_from_the_next_answer_on(natural, chat):
    async with Client(chat) as client:
        words = "the quick brown fox jumps over the lazy dog"
        tone = await seconds(client, words)
        for voice in (NATURAL, "piper:joe", "alloy"):
            answer = await told(client, voice)
            assert answer["type"] == "session.updated" and answer["session"]["audio"]["output"]["voice"] == voice
            assert await seconds(client, words) > 1.5 * tone
        natural_s = await seconds(client, words)
        await told(client, {"voice": NATURAL, "speed": 1.5})
        assert await seconds(client, words) < 0.9 * natural_s
        await told(client, {"voice": "espeak:en-gb", "speed": 1.0})
        assert 1.0 < await seconds(client, words) < 10


@pytest.mark.parametrize(
    ("voice", "why"),
    [
        ("piper:/etc", "no part is called"),
        ("piper:../../etc", "no part is called"),
        ("piper:", "no part is called"),
        ("piper:en_GB-alba-medium", "is not on this disk"),
        ("nobody", "no voice is called"),
    ],
)
async def test_a_voice_that_cannot_be_had(natural, chat, voice, why):
    async with Client(chat) as client:
        answer = await told(client, voice)
        assert answer["type"] == "error" and why in answer["error"]["message"]
        assert "/root" not in answer["error"]["message"] and answer["error"]["param"] == "session.audio.output.voice"
        assert await seconds(client, "hello") > 0  # it goes on as before


async def test_where_nothing_was_fetched_the_natural_voice_is_refused_with_what_to_do(chat):
    async with Client(chat) as client:
        answer = await told(client, "piper:joe")
        assert "python -m voicechat.parts fetch piper:en_US-joe-medium" in answer["error"]["message"]
        assert (await told(client, "alloy"))["type"] == "session.updated"
