"""A server that is killed in the middle of a sentence and started again: the terminal goes on by itself."""

import asyncio

import pytest

from streaming.audio import AudioChunk
from tests.speech import say, silence
from voicechat.events import Asked, Interrupted, SpeechStarted, Spoken, TurnEnded, TurnStarted
from voicechat.terminal.remote import RemoteSession
from voicechat.terminal.server import Server

OPTIONS = ("--model", "mini", "--greedy")


class Terminal:
    """A conversation as the terminal has it, whose loudspeaker plays in real time; its microphone never stops."""

    def __init__(self, url):
        self.session = RemoteSession(Server.of(url, None, None, None, None, None), lasting=True)
        self.events, self._saying, self._left = [], [], False
        self._plays_until = 0.0

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._talk()), asyncio.create_task(self._play())]
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def say(self, samples):
        self._saying += [samples[at : at + 320] for at in range(0, len(samples), 320)]

    async def said(self):
        await self.until(lambda: not self._saying)

    async def until(self, condition, seconds=30):
        async with asyncio.timeout(seconds):
            while not condition():
                for task in self._tasks:
                    assert not task.done(), task.exception()
                await asyncio.sleep(0.01)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def _microphone(self):
        quiet = silence(0.02)
        due = asyncio.get_running_loop().time()
        while True:
            due += 0.02
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            yield AudioChunk(self._saying.pop(0) if self._saying else quiet, 16_000)

    async def _talk(self):
        async for event in self.session.talk(self._microphone()):
            self.events.append(event)

    async def _play(self):
        """Reports what has been played of the newest turn."""
        turn, began = 0, 0.0
        while True:
            await asyncio.sleep(0.02)
            sounds = [s for s in self.of(Spoken) if s.turn == self.session.turn]
            if sounds and sounds[0].turn != turn:
                turn, began = sounds[0].turn, asyncio.get_running_loop().time()
            if turn and sounds:
                length_s = sum(len(s.samples) / s.rate for s in sounds)
                await self.session.played(turn, min(length_s, asyncio.get_running_loop().time() - began))


@pytest.fixture
def killed(serve):
    """Kill a server, and start it again on the same port a moment later."""

    async def killed_(server):
        server.process.kill()
        server.process.wait()
        await asyncio.sleep(1.0)
        return await asyncio.to_thread(serve, *OPTIONS, "--port", str(server.port))

    return killed_


async def test_the_terminal_in_the_middle_of_a_question(serve, killed, capsys):
    """Nothing of it is lost, and it is answered once."""
    server = serve(*OPTIONS)
    question = 0.5 * say("what is seven times eight")
    async with Terminal(server.url) as terminal:
        terminal.say(question[: len(question) // 2])
        await terminal.until(lambda: terminal.of(SpeechStarted))
        await terminal.said()
        terminal.say(question[len(question) // 2 :])
        await asyncio.sleep(0.1)
        await killed(server)
        await terminal.until(lambda: terminal.of(TurnEnded))
        await asyncio.sleep(2.0)
        (ended,) = terminal.of(TurnEnded)
        assert ended.heard == "what is seven times eight" and "fifty-six" in ended.text
        assert len(terminal.of(TurnStarted)) == 1
    lost, *slow, back = capsys.readouterr().err.splitlines()
    assert "was lost; trying again, the conversation is kept" in lost and "is there again" in back
    assert all(
        "answer within 5 s" in line and "(trying again)" in line for line in slow
    )  # a loaded machine, whose server needs more than 5 s to start


async def test_the_terminal_in_the_middle_of_an_answer(serve, killed):
    """The words kept are those that were heard, nothing is answered twice, and the conversation goes on."""
    server = serve(*OPTIONS)
    async with Terminal(server.url) as terminal:
        terminal.say(0.5 * say("what is two plus three"))
        await terminal.until(lambda: terminal.of(TurnEnded))
        await asyncio.sleep(3.0)
        terminal.say(0.5 * say("what can you hear"))
        await terminal.until(lambda: len({s.turn for s in terminal.of(Spoken)}) == 2)
        await asyncio.sleep(1.2)
        await killed(server)
        (cut,) = terminal.of(Interrupted)
        assert 0.5 < cut.heard_s < 2.5 and cut.text
        await asyncio.sleep(2.0)
        turns = len(terminal.of(TurnStarted))
        assert turns == 2, "it was answered twice"
        terminal.say(0.5 * say("what is seven times eight"))
        await terminal.until(lambda: "fifty-six" in terminal.of(TurnEnded)[-1].text)
        assert [e.turn for e in terminal.of(TurnStarted)] == [1, 2, 3]
        items = [item["content"][0]["text"] for item in terminal.session._history.replay()[0]]
        assert items[0] == "what is two plus three" and "five" in items[1]
        assert items[3].strip() == cut.text.strip() and items[4] == "what is seven times eight"


async def test_the_terminal_after_a_question_that_nobody_has_answered(serve, killed):
    """It is asked once more."""
    server = serve(*OPTIONS)
    async with Terminal(server.url) as terminal:
        await terminal.until(lambda: terminal.session._history._sound)
        server.process.kill()
        await terminal.until(lambda: not terminal.session._connected)
        await terminal.session.ask("what is seven times eight")
        await killed(server)
        await terminal.until(lambda: terminal.of(TurnEnded))
        assert [e.text for e in terminal.of(Asked)] == ["what is seven times eight"]
        assert "fifty-six" in terminal.of(TurnEnded)[0].text and len(terminal.of(TurnStarted)) == 1
