"""A model or a voice that raises: the conversation that it happens to is told and goes on, and no other one notices."""

import asyncio
import gc

import pytest

from tests.speech import say
from tests.web.wire import Chat, Client
from tts.tone import Tone
from tts.voice import VoiceError
from voicechat.blocking import Worker
from voicechat.conversation import Clip
from voicechat.echo import EchoMemory
from voicechat.ending import Ending
from voicechat.errors import ModelError
from voicechat.session import Session
from voicechat.turntaking import State
from voicechat.verdict import Verdict

QUESTION = 0.5 * say("what is seven times eight")
ERRORS = {  # made anew each time: an error that was raised holds all that was there
    "RuntimeError": lambda: RuntimeError("CUDA"), "MemoryError": MemoryError, "ValueError": lambda: ValueError("x"),
    "KeyError": lambda: KeyError(3), "OSError": lambda: OSError("gone"), "StopIteration": StopIteration,
}  # fmt: skip
OF_MODELS = {**ERRORS, "ModelError": lambda: ModelError("the model is out of memory: ask again")}
OF_VOICES = {**ERRORS, "VoiceError": lambda: VoiceError("the voice is gone: choose another")}


class Fails(EchoMemory):
    """Once, after so many words."""

    def __init__(self, error: Exception, after: int) -> None:
        self.error: Exception | None = error
        self.after = after

    def reply(self, messages):
        for number, word in enumerate(super().reply(messages)):
            if number == self.after and self.error is not None:
                error, self.error = self.error, None
                raise error
            yield word


class Cracks(Tone):
    """A voice that fails in mid-word, once."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def say(self, text):
        for chunk in super().say(text):
            yield chunk
            if self.error is not None:
                error, self.error = self.error, None
                raise error


class Several(Chat):
    """The first conversation has this memory and this voice; all the others are well. The workers are one."""

    def __init__(self, memory=None, voice=None) -> None:
        super().__init__()
        self.parts = [(memory or EchoMemory(), voice or self.voice)]

    def session(self, tell, clock):
        memory, voice = self.parts.pop() if self.parts else (EchoMemory(), self.voice)
        session = Session(memory, voice, *self.workers, self.config, tell, clock)
        self.voice_of_session = voice
        return session


async def both(chat) -> tuple[Client, Client]:
    """Two conversations at once, a question in each, and a second one in the first."""
    async with Client(chat) as ill:
        ill.realtime.settings.voice = chat.voice_of_session
        ill.realtime.session.voice = chat.voice_of_session
        async with Client(chat) as well:
            await asyncio.gather(*[client.write("one two three four five six seven eight") for client in (ill, well)])
            await asyncio.gather(ill.settle(), well.settle())
            await well.write("and again")
            await ill.write("and again")
            await asyncio.gather(ill.settle(), well.settle())
    return ill, well


def statuses(client: Client) -> list[str]:
    return [event["response"]["status"] for event in client.of("response.done")]


def told(client: Client) -> list[str]:
    details = [event["response"]["status_details"] for event in client.of("response.done")]
    return [detail["error"]["message"] for detail in details if detail and "error" in detail]


def check(ill: Client, well: Client) -> None:
    assert statuses(ill)[0] == "failed" and statuses(ill)[-1] == "completed"
    (line,) = told(ill)
    assert line and "\n" not in line and ": " in line
    assert statuses(well)[-1] == "completed" and "failed" not in statuses(well) and not well.of("error")
    assert "again" in well.last("response.output_audio_transcript.done")["transcript"]
    assert "again" in ill.last("response.output_audio_transcript.done")["transcript"]


@pytest.mark.parametrize("after", [0, 4])
@pytest.mark.parametrize("error", OF_MODELS)
async def test_a_model_that_raises(error, after):
    chat = Several(Fails(OF_MODELS[error](), after))
    check(*await both(chat))
    chat.close()


@pytest.mark.parametrize("error", OF_VOICES)
async def test_a_voice_that_raises_in_mid_word(error):
    chat = Several(voice=Cracks(OF_VOICES[error]()))
    check(*await both(chat))
    chat.close()


class Speechless(EchoMemory):
    """Only answers."""

    marks = "taught"
    judged = 0

    def judge(self, clip, instructions):
        self.judged += 1
        raise ModelError("the clip is too long: send a shorter one")
        yield

    def transcribe(self, clip):
        raise ValueError("no words")
        yield

    def prepare(self, messages):
        raise IndexError("no room")


async def test_what_is_done_beside_an_answer_may_fail():
    """What the user said while it spoke is then taken by how long it was; words are missing, and nothing else."""
    unheard = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
    chat = Chat(Speechless())
    async with Client(chat, extras=True) as client:
        await client.send(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
        )
        await client.write(" ".join(["word"] * 60))
        await client.settle()
        assert client.realtime.session.state is State.SPEAKING
        await client.speak(0.3, QUESTION[:7_000])
        for _ in range(20):
            await client.speak(0.032)
            await asyncio.sleep(0.01)
        assert chat.memory.judged and client.realtime.session.state is not State.HELD
        await client.speak(0.3, QUESTION, 1.5)
        await client.settle()
        assert statuses(client)[-1] == "completed" and not client.of("error")
    del client
    gc.collect()
    await asyncio.sleep(0)
    assert not unheard
    chat.close()


async def test_an_ear_that_fails_leaves_it_to_the_model():
    class Deaf:
        def probability(self, samples):
            raise RuntimeError("onnxruntime")

    worker, decided = Worker("ear"), []
    ending = Ending(decided.append, (Deaf(), worker))
    ending.pause(Clip(QUESTION))
    ending.judged(Verdict.FINISHED)
    for _ in range(200):
        if decided:
            break
        await asyncio.sleep(0.01)
    await ending.close()
    assert decided == [Verdict.FINISHED]
    worker.close()
