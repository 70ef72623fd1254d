"""Typed turns and recordings in the microphone's place."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

import numpy as np

from streaming.audio import RATE, AudioChunk, Resampler, chunks
from voicechat.conversation import Clip
from voicechat.events import Event
from voicechat.terminal.options import Recorded, complain
from voicechat.turntaking import State

BLOCK_S = 0.02
QUIET_S = 0.8  # after a recording: longer than the pause that ends a turn


class Talk(Protocol):
    """A conversation, be it held here (`voicechat.session.Session`) or by a server (`RemoteSession`)."""

    state: State

    @property
    def turn(self) -> int: ...

    def talk(self, microphone: AsyncIterable[AudioChunk]) -> AsyncGenerator[Event, None]: ...

    async def ask(self, text: str = "", clips: Sequence[Clip] = ()) -> None: ...

    def attach(self, clips: Sequence[Clip]) -> None: ...

    async def played(self, turn: int, seconds: float) -> None: ...

    def look(self) -> None: ...

    async def idle(self) -> None: ...


def as_clip(path: Path, audio: AudioChunk) -> Clip:
    """A recording as the model hears it."""
    resampler = Resampler(audio.rate)
    return Clip(np.concatenate([resampler.push(audio.samples), resampler.flush()]), path.name)


async def turns(
    session: Talk,
    typed: Sequence[str],
    spoken: Sequence[Recorded],
    clips: Sequence[Clip],
    fast: bool,
) -> AsyncGenerator[AudioChunk, None]:
    """The sound of a conversation in which typed turns come first, then recordings; each waits for the
    answer to the one before it. The clips belong to the first turn.

    As a microphone would, it delivers silence in between, in real time unless `fast`. Paced, a pause in a
    recording may be taken for the end of a turn, as in life; `fast`, every recording is one turn.
    A recording that starts no turn is complained about, and no error.
    """
    pace = _Pace(fast)
    for text in typed or ([""] if clips and not spoken else []):
        await session.ask(text, clips)
        clips = ()
        async for quiet in _until_played(session, RATE, pace):
            yield quiet
    if clips:
        session.attach(clips)
    for path, audio in spoken:
        turn = session.turn
        for chunk in chunks(audio, BLOCK_S):
            await pace.wait(session)
            yield chunk
        async for quiet in _until_played(session, audio.rate, pace):
            yield quiet
        if session.turn == turn:
            complain(f"no speech was heard in {path}")


class _Pace:
    """Real time, one block after the other; or as fast as the blocks are taken."""

    def __init__(self, fast: bool) -> None:
        self.fast = fast
        self._due = 0.0

    def lasts(self, state: State) -> bool:
        """Whether silence is to follow while the conversation is in this state."""
        hearing = state in (State.HEARING, State.HELD, State.OVERLAP)
        return hearing if self.fast else state is not State.LISTENING

    async def wait(self, session: Talk) -> None:
        if not self.fast:
            now = asyncio.get_running_loop().time()
            self._due = max(self._due + BLOCK_S, now - BLOCK_S)
            await asyncio.sleep(max(0.0, self._due - now))
        elif session.state in (State.LISTENING, State.HEARING):
            # Not while an answer is being made: given no time it cannot begin in a pause of the recording.
            await asyncio.sleep(0)


async def _until_played(session: Talk, rate: int, pace: _Pace) -> AsyncGenerator[AudioChunk, None]:
    """Silence, until the turn is over and its answer has been played. Fast, no time passes for playing."""
    quiet = AudioChunk(np.zeros(round(BLOCK_S * rate), np.float32), rate)
    for block in count():
        enough = session.state is not State.LISTENING or block * BLOCK_S >= QUIET_S
        if enough and not pace.lasts(session.state):
            await session.idle()  # a server may not have told yet what it made of the sound
            if not pace.lasts(session.state):
                break
        await pace.wait(session)
        yield quiet
    if pace.fast:
        await session.played(session.turn, math.inf)
