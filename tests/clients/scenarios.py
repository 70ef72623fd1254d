"""What every client is put through, and how it reports: one JSON line a conversation.

A client says what it showed its application (`Seen`) and what its own history holds; the rest is the same for all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import re
import sys
import time
import wave
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher

from application import RATE, Client, Connect, Seen, beside, until

CHUNK_S = 0.04
CHUNK = 2 * round(RATE * CHUNK_S)  # bytes
LISTENED_S = 1.2  # of the long answer, before it is interrupted


class Microphone:
    """Sends sound in real time: what is said into it, and a quiet room around that."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.waiting: deque[bytes] = deque()
        noise = random.Random(0)
        self.quiet = b"".join(noise.randint(-3, 3).to_bytes(2, "little", signed=True) for _ in range(CHUNK // 2))

    def say(self, pcm: bytes) -> None:
        self.waiting.extend(pieces(pcm))

    async def run(self) -> None:
        due = time.monotonic()
        while True:
            await self.client.hear(self.waiting.popleft() if self.waiting else self.quiet)
            due = max(due + CHUNK_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


@asynccontextmanager
async def speaking_to(client: Client) -> AsyncIterator[Microphone]:
    microphone = Microphone(client)
    await client.hear(microphone.quiet)  # a client may greet first
    async with beside(microphone.run()):
        await asyncio.sleep(0.3)
        yield microphone


def pieces(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + CHUNK].ljust(CHUNK, b"\0") for at in range(0, len(pcm), CHUNK)]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


@dataclass
class Conversation:
    """One conversation with one client, and what should be true of it."""

    connect: Connect
    options: argparse.Namespace
    seen: Seen = field(default_factory=Seen)
    history: list[tuple[str, str]] = field(default_factory=list)

    def open(self, turns: bool = True, tool: bool = False) -> AbstractAsyncContextManager[Client]:
        return self.connect(self.options.url, self.seen, turns=turns, tool=tool)

    async def listened(self, count: int = 1) -> None:
        """Answer `count` has been sounding for a while."""
        answers = self.seen.answers
        await until(lambda: len(answers) == count and answers[-1].listened_s > LISTENED_S, f"answer {count}, sounding")

    async def answered(self, client: Client, count: int = 1) -> None:
        """The last of `count` answers is there, right and whole; the client's own history has it, and its question."""
        seen, word = self.seen, self.options.expect
        await until(lambda: len(seen.answers) >= count and not seen.answering, f"the end of answer {count}")
        assert len(seen.answers) == count, f"{len(seen.answers)} answers, where {count} were expected"
        assert word in seen.answers[-1].text, f"the answer has no {word!r}"
        assert seen.answers[-1].sound_s > 0.5, "the answer has less than 0.5 s of sound"
        await until(lambda: word in self.kept(client, "assistant")[-1], f"{word!r} in the client's history")
        await until(lambda: self.is_question(self.kept(client, "user")[-1]), "the question in the client's history")

    def is_question(self, text: str) -> bool:
        return SequenceMatcher(None, words(text), words(self.options.typed)).ratio() > 0.7

    async def understood(self) -> None:
        """The last question was heard."""
        await until(lambda: any(map(self.is_question, self.seen.heard[-1:])), "the transcript of the question")

    def kept(self, client: Client, role: str) -> list[str]:
        """The texts of one side in the client's history; never empty."""
        self.history = client.history()
        return [text for who, text in self.history if who == role] or [""]

    async def cut(self, client: Client) -> None:
        """The first answer was cancelled, its sound stopped coming, and the client's history knows."""
        unheard = self.options.unheard
        assert self.seen.cancelled, "the client was not told that the answer was interrupted"
        assert unheard not in self.seen.answers[0].text, f"{unheard!r} was told, though the answer was interrupted"
        assert words(self.kept(client, "assistant")[0]), "nothing of what was heard is left in the client's history"
        if client.forgets:
            told = len(words(self.seen.answers[0].text))
            await until(
                lambda: len(words(self.kept(client, "assistant")[0])) < told, "the answer cut in the client's history"
            )


async def voice(talk: Conversation) -> None:
    async with talk.open() as client, speaking_to(client) as microphone:
        microphone.say(talk.options.question)
        await talk.answered(client)
        await talk.understood()


async def text(talk: Conversation) -> None:
    async with talk.open() as client:
        await client.type(talk.options.typed)
        await talk.answered(client)


async def push_to_talk(talk: Conversation) -> None:
    async with talk.open(turns=False) as client:
        await client.press()
        for piece in pieces(talk.options.question) + pieces(bytes(2 * RATE)):
            await client.hear(piece)
        await asyncio.sleep(0.5)
        assert not talk.seen.answers, "an answer began before the talk button was released"
        await client.release()
        await talk.answered(client)
        await talk.understood()


async def push_to_interrupt(talk: Conversation) -> None:
    async with talk.open(turns=False) as client:
        for count, question in enumerate((talk.options.long, talk.options.question), 1):
            await client.press()
            for piece in pieces(question):
                await client.hear(piece)
            await client.release()
            await talk.listened(count)
        await talk.answered(client, 2)
        await talk.understood()
        await talk.cut(client)


async def barge_in(talk: Conversation) -> None:
    async with talk.open() as client, speaking_to(client) as microphone:
        microphone.say(talk.options.long)
        await talk.listened()
        microphone.say(talk.options.question)
        await talk.answered(client, 2)
        await talk.understood()
        await talk.cut(client)


async def stop_button(talk: Conversation) -> None:
    async with talk.open() as client, speaking_to(client) as microphone:
        microphone.say(talk.options.long)
        await talk.listened()
        await client.stop()
        await until(lambda: not talk.seen.answering, "the end of the answer that was stopped")
        await client.type(talk.options.typed)
        await talk.answered(client, 2)
        await talk.cut(client)


async def tool(talk: Conversation) -> None:
    async with talk.open(tool=True) as client:
        await client.type(talk.options.typed)
        await talk.answered(client)
        assert not talk.seen.tools_called, "the tool was called"


SCENARIOS = (voice, text, tool, push_to_talk, push_to_interrupt, barge_in, stop_button)


def recording(path: str) -> bytes:
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise argparse.ArgumentTypeError(f"{path} is not PCM16 mono at 24 kHz: sox {path} -b 16 -c 1 -r 24k F.wav")
        return file.readframes(file.getnframes())


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--url", required=True, help="ws://HOST:PORT/v1/realtime")
    parser.add_argument("--question", required=True, type=recording, metavar="WAV", help="a question with one answer")
    parser.add_argument("--typed", required=True, metavar="TEXT", help="the same question, typed")
    parser.add_argument("--expect", required=True, metavar="WORD", help="a word that only its answer has")
    parser.add_argument("--long", required=True, type=recording, metavar="WAV", help="a question with a long answer")
    parser.add_argument("--unheard", required=True, metavar="WORD", help="the last word of the long answer")
    parser.add_argument("--only", nargs="+", choices=[s.__name__ for s in SCENARIOS], metavar="SCENARIO")
    return parser.parse_args()


class Complaints(logging.Handler):
    """What a client logs as a warning or an error counts as an error that the application saw."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.WARNING)
        self.seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.errors.append(f"log of {record.name}: {record.getMessage()}")


async def put_through(scenario: Callable[[Conversation], Awaitable[None]], talk: Conversation) -> str | None:
    """Why it failed, or None."""
    complaints = Complaints(talk.seen)
    logging.getLogger().addHandler(complaints)
    try:
        async with asyncio.timeout(60):
            await scenario(talk)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        logging.getLogger().removeHandler(complaints)
    return "errors reached the application" if talk.seen.errors else None


async def run(connect: Connect, without: tuple[str, ...]) -> int:
    """The exit code: 0 if every scenario went well. Prints a JSON line for each."""
    chosen, well = options(), True
    for scenario in SCENARIOS:
        if scenario.__name__ in without or scenario.__name__ not in (chosen.only or [scenario.__name__]):
            continue
        started, talk = time.monotonic(), Conversation(connect, chosen)
        why = await put_through(scenario, talk)
        well = well and why is None
        seen = asdict(talk.seen)
        for answer in seen["answers"]:
            answer.pop("first_sound")
        line = {"scenario": scenario.__name__, "ok": why is None, "why": why, "seconds": time.monotonic() - started}
        print(json.dumps({**line, **seen, "history": talk.history}, default=str), flush=True)
    return 0 if well else 1


def main(connect: Connect, without: tuple[str, ...] = ()) -> None:
    """Runs the scenarios, but those which the client has no means for."""
    sys.exit(asyncio.run(run(connect, without)))
