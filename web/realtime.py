"""One conversation over the OpenAI Realtime protocol: client events -> the session -> server events.

No socket here: frames come in as text, what is to be sent goes to the outbox.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import uuid4

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)

from streaming.audio import AudioChunk, AudioError
from voicechat.chat import VoiceChat
from voicechat.conversation import Message
from voicechat.turn import Wanted
from web.items import MAX_SOUND_S, Items, given_item
from web.metrics import Metrics
from web.outbox import Outbox, Sound
from web.schema import ClientEvent, PlayedEvent, Refused, check_shape, read, validate
from web.settings import Settings
from web.sound import Decoder
from web.telling import Telling

log = logging.getLogger(__name__)

MAX_AUDIO = 15 * 2**20  # characters of base64 in one event
MAX_UNCOMMITTED_S = 600.0  # by hand; found by voice, a turn is cut much earlier
MIN_COMMIT_S = 0.1
SENTENCE_S = 3.0  # for the rest of a sentence to be made
LOOK_S = 0.1  # between two looks at whether sound comes
PIECE_S = 0.5  # of a long append that is taken in at a time


class Realtime:
    """The client's side; `Telling` is the other. `receive` never raises."""

    def __init__(self, chat: VoiceChat, model: str, outbox: Outbox, extras: bool, metrics: Metrics) -> None:
        self.items = Items()
        self.outbox = outbox
        config = chat.config
        id = f"sess_{uuid4().hex[:21]}"
        self.settings = Settings(id, model, chat.voice, config.instructions, config.times, holds=extras)
        self.telling = Telling(self.items, self.settings, outbox, extras, metrics)
        self.session = chat.session(self.telling.tell, monotonic)
        self.telling.session = self.session
        self.settings.judges = self.session.judges
        self._extras = extras
        self._decoder = Decoder(self.settings.input_format)
        self._looking: asyncio.Task[None] | None = None
        self._silenced: str | None = None  # the response that the client's own truncate has ended

    async def begin(self) -> None:
        """The server speaks first."""
        await self._apply()
        self.telling.send("session.created", session=self.settings.session)
        self._looking = asyncio.create_task(self._look())

    async def receive(self, text: str) -> None:
        """One frame from the client. Whatever is wrong with it becomes an `error` event."""
        raw: dict[str, Any] = {}
        try:
            raw = read(text)
            check_shape(raw)
            await self._take(self._validated(raw), raw)
        except Refused as refused:
            self.telling.error(refused.code, str(refused), refused.param, raw.get("event_id"))
        except AudioError as error:
            self.telling.error("invalid_value", str(error), "audio", raw.get("event_id"))
        except Exception:
            log.exception("an event could not be handled")
            told = "this event could not be handled, for a reason that is the server's: the conversation goes on"
            self.telling.error("server_error", told, None, raw.get("event_id"))
        self.telling.note_state()

    @property
    def active_at(self) -> float:
        """When anything was last said or asked for, by the monotonic clock."""
        return self.telling.active_at

    def refuse_binary(self) -> None:
        self.telling.error(
            "invalid_json", "binary frames are not understood: send JSON text, with sound as base64 inside"
        )

    async def say_goodbye(self) -> None:
        """Begin nothing new, and finish the sentence that is being spoken."""
        self.telling.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(SENTENCE_S):
                while not self.telling.finished:
                    await asyncio.sleep(0.02)
        self.telling.left()
        await self.session.stop()

    def fall_silent(self) -> None:
        """The time to finish the sentence in is over: what waits of it is dropped, and its response closed."""
        self.telling.left()
        self.telling.end_cancelled()

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self.session.close()

    async def _look(self) -> None:
        """Whether sound comes that is due."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.session.look()
            except Exception:
                log.exception("a look at what has come failed")

    def deltas(self, sound: Sound) -> Iterator[dict[str, Any]]:
        """The events that carry what the writer took from the outbox."""
        return self.telling.deltas(sound)

    def _validated(self, raw: dict[str, Any]) -> ClientEvent:
        if raw.get("type") == "voicechat.played" and not self._extras:
            raise Refused("unknown_event", "voicechat.played is not for this connection: open one with ?extras=1")
        response = raw.get("response")
        if (
            raw.get("type") == "response.create"
            and isinstance(response, dict)
            and isinstance(response.get("input"), list)
        ):
            resolved = [self._resolved(item) for item in response["input"]]
            raw = {**raw, "response": {**response, "input": resolved}}
        return validate(raw)

    def _resolved(self, item: Any) -> Any:
        """The openai package knows no references among the items of a response's input."""
        if isinstance(item, dict) and item.get("type") == "item_reference":
            return self.items.find(str(item.get("id")), "reference")
        return item

    async def _take(self, event: ClientEvent, raw: dict[str, Any]) -> None:
        if not isinstance(event, InputAudioBufferAppendEvent | PlayedEvent):
            self.telling.active_at = monotonic()
        match event:
            case InputAudioBufferAppendEvent():
                await self._append(event.audio)
            case PlayedEvent():
                turn = self.telling.turn_of(event.item_id)
                await self.session.played(turn, event.audio_ms / 1000)
            case SessionUpdateEvent():
                await self._update(event)
            case InputAudioBufferCommitEvent():
                await self._commit()
            case InputAudioBufferClearEvent():
                await self._forget()
                self.telling.send("input_audio_buffer.cleared")
            case ConversationItemCreateEvent():
                self._create_item(event)
            case ConversationItemRetrieveEvent():
                item = self.items.find(event.item_id, "retrieve")
                self.telling.send("conversation.item.retrieved", item=dict(item))
            case ConversationItemDeleteEvent():
                await self._delete_item(event.item_id)
            case ConversationItemTruncateEvent():
                await self._truncate(event)
            case ResponseCreateEvent():
                await self._respond(event, raw.get("response") or {})
            case ResponseCancelEvent():
                await self._cancel(event.response_id)
            case OutputAudioBufferClearEvent():
                if self.telling.response is not None:
                    await self._cancel(None)

    # ---- sound --------------------------------------------------------------------------------

    async def _append(self, audio: str) -> None:
        if len(audio) > MAX_AUDIO:
            raise Refused(
                "invalid_value",
                f"{len(audio) / 2**20:.1f} MiB of audio in one event: send at most 15 MiB, better 100 ms at a time",
                "audio",
            )
        chunk = self._decoder.push(audio)
        if self.telling.finished:  # the server stops, and will answer nothing
            return
        step = round(PIECE_S * chunk.rate)
        for start in range(0, len(chunk.samples), step):
            if start:
                await asyncio.sleep(0)  # the other conversations' events have their turn
            await self.session.hear(AudioChunk(chunk.samples[start : start + step], chunk.rate))
        if not self.session.policy.detects and self.session.uncommitted_s > MAX_UNCOMMITTED_S:
            await self._forget()
            raise Refused(
                "input_audio_buffer_full",
                f"more than {MAX_UNCOMMITTED_S:.0f} s of audio were not committed and are dropped: "
                "send input_audio_buffer.commit sooner",
            )

    async def _commit(self) -> None:
        if self.session.uncommitted_s < MIN_COMMIT_S:
            raise Refused(
                "input_audio_buffer_commit_empty",
                f"the buffer holds {self.session.uncommitted_s * 1000:.0f} ms of audio: "
                f"append at least {MIN_COMMIT_S * 1000:.0f} ms, then commit",
            )
        await self.session.commit()
        self._decoder.begin()

    async def _forget(self) -> None:
        """The buffer is empty, down to half a sample."""
        await self.session.forget()
        self._decoder.begin()

    # ---- settings -----------------------------------------------------------------------------

    async def _update(self, event: SessionUpdateEvent) -> None:
        changes = event.session.model_dump(exclude_unset=True)
        instructions = changes.get("instructions") or ""
        if instructions and (why := await self.session.refuses(instructions)):
            raise Refused("string_above_max_length", f"{why}; nothing was changed", "session.instructions")
        if (changes.get("audio") or {}).get("output"):
            await self.session.beside_voices(lambda: self.settings.update(changes))
        else:
            self.settings.update(changes)
        await self._apply()
        self.telling.send("session.updated", session=self.settings.session)

    async def _apply(self) -> None:
        settings, session = self.settings, self.session
        session.voice, session.asking.usual = settings.voice, settings.wanted
        session.conversation.instruct(settings.session["instructions"] or "")
        session.transcripts.wanted = settings.transcribes or self._extras
        forgotten = await session.listen(settings.policy)
        if forgotten or self._decoder.format != settings.input_format:
            self._decoder = Decoder(settings.input_format)

    # ---- the conversation ---------------------------------------------------------------------

    def _create_item(self, event: ConversationItemCreateEvent) -> None:
        item, message = given_item(event.item.model_dump(exclude_unset=True), self.settings.input_format)
        if message is not None and message.clips and self.session.conversation.sound_s > MAX_SOUND_S:
            raise Refused(
                "conversation_full",
                f"this conversation holds more than {MAX_SOUND_S / 60:.0f} minutes of sound: delete a clip, or start "
                "a new one",
                "item.content",
            )
        before = self.items.give(item, event.previous_item_id)
        if message is not None:
            self.session.conversation.add(message, self.items.message_before(item["id"]) or "")
        self.telling.send("conversation.item.added", previous_item_id=before, item=item)
        self.telling.send("conversation.item.done", previous_item_id=before, item=item)

    async def _delete_item(self, id: str) -> None:
        self.items.find(id, "delete")
        response = self.telling.response
        if response is not None and response.item_id == id:
            await self._cancel(None)
        self.items.remove(id)
        self.session.conversation.discard(id)
        self.telling.send("conversation.item.deleted", item_id=id)

    async def _truncate(self, event: ConversationItemTruncateEvent) -> None:
        item = self.items.find(event.item_id, "truncate")
        sent_ms = self.telling.sent_ms(event.item_id)
        audio_end_ms = max(0, min(event.audio_end_ms, sent_ms))
        response = self.telling.response
        if response is not None and response.item_id == event.item_id:
            self._silenced = response.id
        try:
            if self.telling.read_only(event.item_id):
                raise KeyError(event.item_id)
            text = await self.session.truncate(event.item_id, audio_end_ms / 1000)
        except KeyError:
            raise Refused(
                "item_truncate_invalid_item_id",
                f"{event.item_id[:80]!r} cannot be cut: give the id of an answer that was spoken here",
                "item_id",
            ) from None
        if self.telling.response is response is not None and response.item_id == event.item_id:
            self.telling.end_cancelled()  # where the session took it for played already
        self.telling.cut(item, text, audio_end_ms)
        self.telling.send(
            "conversation.item.truncated", item_id=event.item_id, content_index=0, audio_end_ms=audio_end_ms
        )

    # ---- responses ----------------------------------------------------------------------------

    async def _respond(self, event: ResponseCreateEvent, shown: dict[str, Any]) -> None:
        if self.telling.leaving:
            raise Refused("server_stopping", "the server is being stopped: come back in a minute")
        if self.telling.response is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"the response {self.telling.response.id} is not over: wait for its response.done, or cancel it",
            )
        asked = event.response
        wanted = self.settings.wanted
        if asked is not None:
            given = asked.model_dump(exclude_unset=True)
            limit = given.get("max_output_tokens") or wanted.max_tokens
            messages = None if given.get("input") is None else tuple(self._read(given["input"]))
            wanted = Wanted(
                messages=messages,
                instructions=given.get("instructions"),
                aloud=(given["output_modalities"] != ["text"]) if given.get("output_modalities") else wanted.aloud,
                remembered=given.get("conversation") != "none",
                max_tokens=limit if isinstance(limit, int) else None,
            )
        self._silenced = None
        self.telling.shown = {"metadata": shown.get("metadata")}
        await self.session.respond(wanted)

    def _read(self, items: list[dict[str, Any]]) -> Iterator[Message]:
        """What stands in the conversation's place for one response. Its own items are known by their ids."""
        for given in items:
            known = self.session.conversation.some([given.get("id") or ""])
            message = known[0] if known else given_item(given, self.settings.input_format)[1]
            if message is not None:
                yield message

    async def _cancel(self, id: str | None) -> None:
        response, silenced = self.telling.response, self._silenced
        self._silenced = None
        if response is None and silenced == self.telling.newest and id in (None, silenced):
            return  # openai-agents falls silent by a truncate and a cancel
        if response is None or id not in (None, response.id):
            raise Refused("response_cancel_not_active", "Cancellation failed: no such response is in progress")
        self.telling.reason = "client_cancelled"
        await self.session.stop()
        self.telling.end_cancelled()  # where the session took it for played already


def frame(event: dict[str, Any]) -> str:
    """An event as it goes over the wire."""
    named = {"event_id": f"event_{uuid4().hex[:21]}", **event}
    return json.dumps(named, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
