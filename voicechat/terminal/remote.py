"""A conversation that a server holds, with the surface of one that is held here."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, cast

import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from streaming.audio import RATE, AudioChunk, AudioError
from voicechat.conversation import Clip, is_blank, new_id
from voicechat.errors import NOTHING_TYPED, ConfigError, VoiceChatError
from voicechat.events import (
    Answered,
    Asked,
    Event,
    Failed,
    Heard,
    Interrupted,
    Spoken,
    TurnEnded,
    TurnStarted,
    Withdrawn,
    Yielded,
    from_json,
)
from voicechat.playback import Playback
from voicechat.terminal import wire
from voicechat.terminal.history import History
from voicechat.terminal.options import complain
from voicechat.terminal.server import Server
from voicechat.turntaking import State

PACED_S, FAST_S = 0.02, 0.5  # of sound in one event
WINDOW_S = 5.0  # of sound that may be on its way when nothing else sets the pace
REPORT_S = 0.1  # between two reports of what has been played
STATES = {state.name.lower(): state for state in State}
SPEECH = (State.HEARING, State.HELD, State.OVERLAP)  # the user speaks
CROSSED = (  # two things that happened at the same time, here and there
    "response_cancel_not_active", "item_truncate_invalid_item_id", "input_audio_buffer_commit_empty",
)  # fmt: skip
FIRST_WAIT_S, LONGEST_WAIT_S = 0.3, 5.0  # between two attempts to come back
FAREWELLS = ("server_stopping", "session_expired", "session_idle")  # the server closes, and says why


class ConnectionLost(VoiceChatError):
    """In mid-conversation; the server forgets what was said."""


class RemoteSession:
    """One conversation over the Realtime protocol. Everything runs on the event loop.

    `fast`: sound comes as quickly as it is taken, not in real time. `lasting`: a server that goes away is waited for,
    and told again what was said.
    """

    def __init__(self, server: Server, fast: bool = False, lasting: bool = False) -> None:
        self.turn = 0
        self.state = State.LISTENING
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._server, self._fast, self._lasting = server, fast, lasting
        self._history = History()
        self._connected = True
        self._earlier = 0  # turns, with the servers before this one
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._upload = wire.Upload(FAST_S if fast else PACED_S)
        self._under_way_s = 0.0  # of sound, sent since the newest confirmation was asked for
        self._confirmations: deque[asyncio.Future[None]] = deque()
        self._playback = Playback()  # of the newest answer
        self._playback.complete = True
        self._words = ""  # that end in the sound that comes next
        self._answering = False  # the newest turn has not ended
        self._held: list[Event] = []  # of its end, until all of its sound is here
        self._changed = asyncio.Event()
        self._cut = False  # of the newest answer no more counts than was heard
        self._reported = (0, monotonic())  # ms of the answer, when
        self._farewell = ""
        self._farewell_code = ""

    # ---- what goes out ------------------------------------------------------------------------

    async def hear(self, chunk: AudioChunk) -> None:
        """Take in what the microphone delivers, in pieces of any length and rate."""
        try:
            self._send_sound(self._upload.push(chunk))
        except AudioError as error:
            self.events.put_nowait(Failed(str(error)))
        if self._fast and self._under_way_s >= WINDOW_S:
            before = self._confirmations[-1] if self._confirmations else None
            self._ask_confirmation()
            if before is not None:
                await before

    async def end_of_sound(self) -> None:
        """The microphone has been closed: what was being said is the turn."""
        self._send_sound(self._upload.flush())
        await self._taken_in()
        if self.state in SPEECH:
            self._send("input_audio_buffer.commit")

    async def ask(self, text: str = "", clips: Sequence[Clip] = ()) -> None:
        """A typed turn, or clips to talk about, or both. Blanks alone ask nothing, and are not answered."""
        if is_blank(text) and not clips:
            self.events.put_nowait(Failed(NOTHING_TYPED))
            return
        self._stop()
        if self.state in SPEECH:
            self._send("input_audio_buffer.clear")
        id = self._send_item(clips, text)
        self._tell(Asked(id, text, sum(clip.length for clip in clips) / RATE))
        self._send("response.create")
        await self._taken_in()

    def attach(self, clips: Sequence[Clip]) -> None:
        """Clips that go with the next turn."""
        self._send_item(clips, "")

    async def played(self, turn: int, seconds: float) -> None:
        """So many seconds of this turn's answer have come out of the loudspeaker."""
        playback = self._playback
        if turn != playback.turn or not turn or self._cut:
            return
        playback.report(min(seconds, playback.sent_s))
        heard_ms, (told_ms, told_at) = self._heard_ms, self._reported
        if heard_ms != told_ms and (playback.over(0.0) or monotonic() - told_at >= REPORT_S):
            self._reported = (heard_ms, monotonic())
            # What was resampled on the way may be a sample shorter than the server has it: 1 ms makes up for it.
            self._send("voicechat.played", item_id=playback.id, audio_ms=heard_ms + 1)

    def look(self) -> None:
        """The server looks whether sound comes."""

    # ---- from outside -------------------------------------------------------------------------

    async def talk(self, microphone: AsyncIterable[AudioChunk]) -> AsyncGenerator[Event, None]:
        """Every event of the conversation, until the microphone has ended and the last turn is answered.

        Raises ConfigError where the conversation cannot begin, ConnectionLost where it is cut off and does not last.
        """
        connection = await self._server.open()
        listening = asyncio.create_task(self._listen(microphone))
        reading = asyncio.create_task(self._keep_up(connection))
        for task in (listening, reading):
            task.add_done_callback(lambda _: self.events.put_nowait(None))
        try:
            while (event := await self.events.get()) is not None:
                yield event
            await (listening if listening.done() else reading)
        finally:
            for task in (listening, reading):
                task.cancel()
            await asyncio.gather(listening, reading, return_exceptions=True)

    async def idle(self) -> None:
        """Until the server has taken in all that was sent, and the turn that this began has been answered."""
        await self._taken_in()
        while self._answering or not self._playback.complete:
            self._changed.clear()
            await self._changed.wait()

    async def _listen(self, microphone: AsyncIterable[AudioChunk]) -> None:
        async for chunk in microphone:
            await self.hear(chunk)
        await self.end_of_sound()
        await self.idle()

    async def _keep_up(self, connection: ClientConnection) -> None:
        """Read and write; where the conversation lasts, on one connection after the other. Raises ConnectionLost."""
        while True:
            writing = asyncio.create_task(self._write(connection))
            try:
                await self._read(connection)
            except ConnectionLost:
                if not self._lasting or self._farewell_code == "session_idle":
                    raise
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                await connection.close()
            self._lose()
            connection = await self._come_back()

    def _lose(self) -> None:
        """What was being said here is over, as far as it was heard."""
        where = self._server.where
        told = f"{where}: {self._farewell}" if self._farewell else f"the connection to {where} was lost"
        complain(f"{told}; trying again, the conversation is kept")
        self._connected, self._farewell, self._farewell_code = False, "", ""
        self._outgoing = asyncio.Queue()
        self._under_way_s = 0.0
        while self._confirmations:
            if not (confirmed := self._confirmations.popleft()).done():
                confirmed.set_result(None)
        self._held.clear()
        playback = self._playback
        if self._answering or not (playback.complete and playback.over(0.0)):
            self._complete()
            heard_s = self._heard_ms / 1000
            self._tell(Interrupted(self.turn, heard_s, playback.text_until(heard_s)))
            playback.report(heard_s)
        self._playback = Playback()
        self._playback.complete, self._answering, self.state = True, False, State.LISTENING
        self._earlier = self.turn
        self._changed.set()

    async def _come_back(self) -> ClientConnection:
        """A new connection that knows what was said."""
        wait_s, told = FIRST_WAIT_S, ""
        while True:
            await asyncio.sleep(wait_s)
            try:
                connection = await self._server.open()
                break
            except ConfigError as error:
                if str(error) != told and wait_s >= LONGEST_WAIT_S:  # not while it starts
                    told = str(error)
                    complain(f"{told} (trying again)")
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
        self._connected = True
        items, waits, sound = self._history.replay()
        for item in items:
            self._send("conversation.item.create", item=item)
        if waits:
            self._send("response.create")
        for at in range(0, len(sound), wire.RATE // 2):
            self._send_sound(sound[at : at + wire.RATE // 2])
        complain(f"{self._server.where} is there again")
        return connection

    async def _write(self, connection: ClientConnection) -> None:
        with suppress(ConnectionClosed):  # whoever reads tells
            while True:
                await connection.send(json.dumps(await self._outgoing.get()))

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                self._take(json.loads(await connection.recv()))
        except ConnectionClosed:
            where = self._server.where
            if self._farewell:
                raise ConnectionLost(f"{where}: {self._farewell}") from None
            unfinished = self._answering or not self._playback.complete
            lost = f"the answer to turn {self.turn} is not complete" if unfinished else "no answer is missing"
            raise ConnectionLost(
                f"the connection to {where} was lost: {lost}, and the server has forgotten what was said; "
                "start again when it can be reached"
            ) from None

    # ---- to the server ------------------------------------------------------------------------

    def _send(self, type: str, **fields: Any) -> None:
        if self._connected:
            self._outgoing.put_nowait({"type": type, **fields})

    def _send_sound(self, samples: np.ndarray) -> None:
        if len(samples):
            self._history.heard(samples, self.state in SPEECH or not self._connected)
            self._under_way_s += len(samples) / wire.RATE
            self._send("input_audio_buffer.append", audio=wire.encoded(samples))

    def _send_item(self, clips: Sequence[Clip], text: str) -> str:
        """A message of the user's -> its id."""
        id = new_id()
        content = [{"type": "input_audio", "audio": wire.encoded_clip(clip)} for clip in clips]
        if text:
            content.append({"type": "input_text", "text": text})
        item = {"id": id, "type": "message", "role": "user", "content": content}
        self._history.wrote(id, content)
        self._send("conversation.item.create", item=item)
        return id

    def _ask_confirmation(self) -> None:
        """An update that changes nothing: its answer follows all that came of what was sent before it."""
        self._under_way_s = 0.0
        if not self._connected:
            return
        self._confirmations.append(asyncio.get_running_loop().create_future())
        self._send("session.update", session={"type": "realtime"})

    async def _taken_in(self) -> None:
        """Until `state` and `turn` are what the server made of all that was sent."""
        self._send_sound(self._upload.take())
        self._ask_confirmation()
        if self._confirmations:  # with nobody there, what was sent is in the history
            await self._confirmations[-1]

    @property
    def _heard_ms(self) -> int:
        return int(self._playback.heard_s(0.0) * 1000)

    def _stop(self) -> None:
        """No more of the answer, if it has not been played to its end."""
        if not self._playback.complete:
            self._send("response.cancel")
        if not self._playback.over(0.0):
            self._truncate()

    def _truncate(self) -> None:
        if not self._cut:
            id, self._cut = self._playback.id, True
            self._send("conversation.item.truncate", item_id=id, content_index=0, audio_end_ms=self._heard_ms)

    # ---- from the server ----------------------------------------------------------------------

    def _take(self, told: dict[str, Any]) -> None:
        match told["type"]:
            case "voicechat.event":
                self.state = STATES.get(told["state"], self.state)
                with suppress(ValueError):  # a change of the state alone, or an event of a newer server
                    self._take_event(self._renumbered(from_json(told["event"])))
            case "response.output_audio_transcript.delta" if told["item_id"] == self._playback.id:
                self._words += told["delta"]
            case "response.output_audio.delta" if told["item_id"] == self._playback.id:
                self._sound(wire.decoded(told["delta"]))
            case "response.done" if self._playback.id in [item["id"] for item in told["response"]["output"]]:
                self._complete()
            case "session.updated":
                if not (confirmed := self._confirmations.popleft()).done():
                    confirmed.set_result(None)
            case "error":
                self._refused(told["error"])
        self._changed.set()

    def _renumbered(self, event: Event) -> Event:
        """The server of a new connection numbers its turns anew."""
        if self._earlier and getattr(event, "turn", None) is not None:
            changed: Event = replace(cast(Any, event), turn=cast(Any, event).turn + self._earlier)
            return changed
        return event

    def _tell(self, event: Event) -> None:
        self._history.note(event)
        self.events.put_nowait(event)

    def _take_event(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self._complete()
                self.turn, self._answering = event.turn, True
                self._playback, self._cut = Playback(event.turn, event.answer), False
                self._playback.report(0.0)
                self._reported = (0, monotonic())
            case TurnEnded() | Failed() if event.turn == self.turn:
                self._answering = False
            case Interrupted() if event.turn == self.turn:
                event = self._interrupted(event)
            case Withdrawn() if event.turn == self.turn:
                self._answering = False
                self._complete()
            case Yielded() if event.turn == self.turn:
                self._reported = (self._reported[0], 0.0)  # where it is now is to be told at once
        ends = isinstance(event, Answered | Heard | TurnEnded | Failed) and event.turn == self.turn
        if ends and not self._playback.complete:  # its sound comes more slowly than what is told about it
            self._held.append(event)
        else:
            self._tell(event)

    def _interrupted(self, event: Interrupted) -> Interrupted:
        """Nobody but us knows how much was heard."""
        self._answering = False
        self._complete()
        self._truncate()
        heard_s = self._heard_ms / 1000
        return Interrupted(event.turn, heard_s, self._playback.text_until(heard_s))

    def _sound(self, samples: np.ndarray) -> None:
        if not self._playback.complete:
            sound = Spoken(self.turn, samples, wire.RATE, self._words)
            self._words = ""
            self._playback.send(sound, 0.0)
            self.events.put_nowait(sound)

    def _complete(self) -> None:
        """No more sound of this answer comes: tell what waited for that."""
        if self._words:  # that no sound came for
            self._sound(np.zeros(0, np.float32))
        self._words = ""
        self._playback.complete = True
        for event in self._held:
            self._tell(event)
        self._held.clear()

    def _refused(self, error: dict[str, Any]) -> None:
        code, message = error.get("code"), str(error.get("message"))
        if code in FAREWELLS:
            self._farewell, self._farewell_code = message, str(code)
        elif code not in CROSSED:
            self.events.put_nowait(Failed(message))
