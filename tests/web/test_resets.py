"""What an event of the client's makes begin anew: nothing of before may be heard, seen or counted behind it."""

import base64

import numpy as np
import pytest
import soxr

from tests.speech import say
from tests.voicechat.test_session import Patient
from tests.web.wire import Chat, Client
from voicechat.conversation import Clip

QUESTION = 0.5 * say("what is seven times eight")
HISS = (np.random.default_rng(1).uniform(-0.8, 0.8, 24_000) * 32_767).astype("<i2").tobytes()  # 1 s, very loud
TONE = (np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000) * 10_000).astype("<i2").tobytes()  # 1 s
BY_HAND = {"turn_detection": None}
BY_VOICE = {"turn_detection": {"type": "server_vad"}}


@pytest.fixture
def chat():
    chat = Chat()
    yield chat
    chat.close()


async def update(client: Client, **audio) -> None:
    await client.send("session.update", session={"type": "realtime", "audio": {"input": audio}})


async def append(client: Client, data: bytes) -> None:
    await client.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())


async def committed(client: Client) -> Clip:
    await client.send("input_audio_buffer.commit")
    return client.realtime.session.conversation.messages[-1].clips[0]


def like_the_tone(clip: Clip) -> bool:
    """The tone, and nothing else."""
    heard = clip.read()
    wanted = soxr.resample(np.frombuffer(TONE, "<i2").astype(np.float32) / 32_768, 24_000, 16_000)
    short = min(len(heard), len(wanted))
    return abs(len(heard) - len(wanted)) <= 2 and np.abs(heard[:short] - wanted[:short]).max() < 0.4


async def clear(client: Client) -> None:
    await client.send("input_audio_buffer.clear")


async def commit(client: Client) -> None:
    await client.send("input_audio_buffer.commit")


async def turn_detection(client: Client) -> None:
    await update(client, **BY_VOICE)
    await update(client, **BY_HAND)


async def another_format(client: Client) -> None:
    await update(client, format={"type": "audio/pcmu"})
    await update(client, format={"type": "audio/pcm", "rate": 24_000})
    await clear(client)


EMPTYING = [clear, commit, turn_detection, another_format]  # the buffer


@pytest.mark.parametrize("emptied", EMPTYING)
@pytest.mark.parametrize("bytes_before", [9_600, 9_601, 9_617])  # whole samples; and half of one more
async def test_nothing_of_before_is_in_the_next_clip(chat, emptied, bytes_before):
    async with Client(chat) as client:
        await update(client, **BY_HAND)
        for _ in range(3):
            await append(client, HISS[:bytes_before])
            await emptied(client)
        await append(client, TONE)
        assert like_the_tone(await committed(client))


@pytest.mark.parametrize("emptied", EMPTYING[:2])
async def test_the_clients_count_of_samples_is_the_time(chat, emptied):
    """However often the buffer is emptied, speech is where the client has sent it."""
    async with Client(chat) as client:
        for _ in range(60):
            await append(client, bytes(2 * 4_321))
            await emptied(client)
        await client.speak(0.5, QUESTION, 1.0)
        await client.settle()
        begun_ms = 60 * 4_321 / 24 + 500
        assert client.last("input_audio_buffer.speech_started")["audio_start_ms"] == pytest.approx(
            begun_ms - 300, abs=70
        )


async def test_what_was_cleared_is_no_run_up(chat):
    """The 0.3 s that are kept before a start lie behind the clear."""
    async with Client(chat) as client:
        await client.speak(0.5, QUESTION[:14_000])
        assert client.of("input_audio_buffer.speech_started")
        await clear(client)
        sent_ms = 500 + 14_000 / 16
        await client.speak(QUESTION, 1.0)
        await client.settle()
        assert client.last("input_audio_buffer.speech_started")["audio_start_ms"] >= sent_ms - 1
        clip = client.realtime.session.conversation.messages[0].clips[0]
        assert clip.length / 16 <= client.last("input_audio_buffer.speech_stopped")["audio_end_ms"] - sent_ms + 500


@pytest.mark.parametrize("change", [clear, turn_detection])
async def test_an_answer_that_was_turned_down_is_loud_again(chat, change):
    """Whoever stirred is forgotten; the sound that would have shown it may never come."""
    async with Client(chat, extras=True) as client:
        await client.write("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen")
        await client.settle()
        gains = []
        for at in range(0, 3_200, 320):
            await client.speak(QUESTION[at + 3_200 : at + 3_520])
            gains = [e["event"]["gain"] for e in client.of("voicechat.event") if e["event"]["type"] == "yielded"]
            if gains and gains[-1] < 1:
                break
        assert gains and gains[-1] < 1
        await change(client)
        gains = [e["event"]["gain"] for e in client.of("voicechat.event") if e["event"]["type"] == "yielded"]
        assert gains[-1] == 1


async def test_a_question_that_was_deleted_does_not_come_back():
    """Its speaker goes on while the answer is being made: what is asked is what was said since."""
    chat = Chat(Patient())
    async with Client(chat) as client:
        await client.speak(0.5, QUESTION, 0.7)
        asked = client.last("input_audio_buffer.committed")["item_id"]
        await client.send("conversation.item.delete", item_id=asked)
        await client.speak(QUESTION, 1.0)
        chat.memory.go.release(1000)
        await client.settle()
        (clip,) = client.realtime.session.conversation.messages[-2].clips
        assert clip.length < len(QUESTION) + 16_000
    chat.close()


async def test_a_cancel_is_only_forgiven_for_the_response_that_a_truncate_has_ended(chat):
    async with Client(chat) as client:
        await client.write("one two three four five six seven eight")
        answer = client.last("conversation.item.added")["item"]["id"]
        await client.send("conversation.item.truncate", item_id=answer, content_index=0, audio_end_ms=0)
        await client.speak(0.5, QUESTION, 1.0)
        await client.settle()
        (refused,) = await client.send("response.cancel")
        assert refused["error"]["code"] == "response_cancel_not_active"
