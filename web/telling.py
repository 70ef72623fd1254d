"""What a session tells, as server events of the Realtime protocol."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from streaming.endpoint import SpeechSegment, SpeechStarted
from voicechat.events import (
    Answered,
    Asked,
    Event,
    Failed,
    Heard,
    Idle,
    Interrupted,
    Speculated,
    Spoken,
    TextDelta,
    TurnEnded,
    TurnStarted,
    Unasked,
    Withdrawn,
    Yielded,
    as_json,
)
from voicechat.turntaking import State
from web.items import MAX_ID, Item, Items, spoken_item
from web.metrics import Metrics
from web.outbox import Outbox, Sound
from web.response import Response
from web.settings import Settings
from web.sound import Encoder

if TYPE_CHECKING:
    from voicechat.session import Session

REMEMBERED = 50  # answers whose length is still known
STATES = {
    State.LISTENING: "listening",
    State.HEARING: "hearing",
    State.HELD: "hearing",
    State.OVERLAP: "hearing",
    State.THINKING: "thinking",
    State.SPEAKING: "speaking",
}


class Telling:
    """The server's side. Control events go at once; those that end an answer follow its sound."""

    session: Session

    def __init__(self, items: Items, settings: Settings, outbox: Outbox, extras: bool, metrics: Metrics) -> None:
        self.response: Response | None = None  # the one that is not over for the client
        self.shown: dict[str, Any] = {}  # of the next response: what its client wants to see again
        self.reason = "turn_detected"  # of the next cancellation
        self._items, self._settings, self._outbox, self._extras = items, settings, outbox, extras
        self.active_at = monotonic()
        self._metrics = metrics
        self._conversation_id = settings.session["id"].replace("sess_", "conv_")
        self._answers: dict[str, Response] = {}
        self._sent_s: dict[str, float] = {}  # of each answer's sound
        self._format = settings.output_format  # of the answer that is being made
        self._encoder = Encoder(self._format)
        self._seconds: dict[str, float] = {}  # of the spoken items
        self._state = State.LISTENING
        self._doubted: SpeechStarted | None = None  # speech into an answer, not told before it is sure
        self.leaving = False  # the server stops
        self.finished = False  # when leaving: all that will still be said waits in the outbox

    # ---- to the client ------------------------------------------------------------------------

    def send(self, type: str, **fields: Any) -> None:
        self._outbox.control({"type": type, **fields})

    def error(self, code: str, message: str, param: str | None = None, event_id: Any = None) -> None:
        if not isinstance(event_id, str) or len(event_id) > MAX_ID:
            event_id = None
        known = {"code": code, "message": message[:500], "param": param and param[:MAX_ID], "event_id": event_id}
        self._metrics.error(code)
        kind = "server_error" if code == "server_error" else "invalid_request_error"
        self.send("error", error={"type": kind, **{k: v for k, v in known.items() if v is not None}})

    def deltas(self, sound: Sound) -> Iterator[dict[str, Any]]:
        """What the writer took. It belongs to the response whose sound is in the outbox."""
        response = self._sounding
        self._sent_s[response.item_id] = self._sent_s.get(response.item_id, 0.0) + sound.seconds
        for type, fields in response.deltas(sound):
            yield {"type": type, **fields}

    def note_state(self) -> None:
        """Clients with extras are told when the state has changed."""
        if self._extras and self.session.state is not self._state:
            self._state = self.session.state
            self._tell_extra({"type": "state"})

    def leave(self) -> None:
        """The server goes away: what is being said is finished, nothing else is begun."""
        self.leaving = True
        self._finish()

    def left(self) -> None:
        """No more of the answer comes."""
        self.finished = True

    # ---- what is known of answers -------------------------------------------------------------

    def turn_of(self, item_id: str) -> int:
        response = self._answers.get(item_id)
        return response.turn if response else 0

    @property
    def newest(self) -> str:
        """The id of the newest response; "" before the first."""
        return next((response.id for response in reversed(self._answers.values())), "")

    def sent_ms(self, item_id: str) -> int:
        """How much of an answer's sound has gone out, or what a cut has left of it."""
        return int(self._sent_s.get(item_id, 0.0) * 1000)

    def read_only(self, item_id: str) -> bool:
        """It is an answer without sound."""
        response = self._answers.get(item_id)
        return response is not None and not response.aloud

    def cut(self, item: Item, text: str, ms: int) -> None:
        """No more of an answer was heard than this, and no later cut gives anything back."""
        self._sent_s[item["id"]] = ms / 1000
        item["status"] = "incomplete"
        item["content"] = [{"type": "output_audio", "transcript": text}]

    # ---- from the session ---------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        if isinstance(event, SpeechStarted | TurnStarted | Spoken):
            self.active_at = monotonic()
        self._count(event)
        unheard = isinstance(event, Spoken) or (self.finished and isinstance(event, Interrupted | Withdrawn))
        if self._extras and not unheard:  # a client that is told of an interruption falls silent
            self._tell_extra(as_json(event))
        match event:
            case SpeechStarted() if self._holdable:
                self._doubted = event
            case SpeechStarted():
                self._speech_started(event)
                if self.session.state is State.LISTENING and self.session.policy.interrupts:
                    self.end_cancelled()  # all of it has been played by now, as far as the session knows
            case Yielded():
                self._doubted = self._doubted if event.gain == 0 else None
            case Idle():
                self.send(
                    "input_audio_buffer.timeout_triggered", audio_start_ms=round(event.at_s * 1000),
                    audio_end_ms=round(event.at_s * 1000), item_id=self.session.asking.speech_id,
                )  # fmt: skip
            case SpeechSegment():
                self.send(
                    "input_audio_buffer.speech_stopped",
                    audio_end_ms=round(event.end_s * 1000), item_id=self.session.asking.speech_id,
                )  # fmt: skip
            case Asked():
                self._committed(event)
            case Unasked():
                self._items.remove(event.id)
                self.send("conversation.item.deleted", item_id=event.id)
            case TurnStarted() if not self.leaving:
                self._begin(event)
            case TextDelta() if self.response is not None:
                self.response.write(event.text)
            case Spoken() if not self.finished:
                data = self._encoder.push(event.samples, event.rate)
                self._outbox.sound(data, self._format.seconds(len(data)), event.text)
                self._finish()
            case Answered():
                self._answered(event)
            case Heard():
                self._transcribed(event)
            case Interrupted() | Withdrawn() if not self.finished:
                if self._doubted is not None:
                    doubted, self._doubted = self._doubted, None
                    self._speech_started(doubted)
                self.end_cancelled()
                if isinstance(event, Withdrawn):
                    self._withdraw(event.turn)
                self._finish()
            case Failed():
                self._failed(event)
        self.note_state()

    def _withdraw(self, turn: int) -> None:
        """Nothing of that answer counts, whatever was sent of it."""
        id = next((id for id, response in self._answers.items() if response.turn == turn), "")
        if id in self._items and self.sent_ms(id):
            self.cut(self._items.find(id, "truncate"), "", 0)
            self.send("conversation.item.truncated", item_id=id, content_index=0, audio_end_ms=0)

    def end_cancelled(self) -> None:
        """Drop what waits of the answer, and close its response, if it is open still."""
        reason, self.reason = self.reason, "turn_detected"
        if self.response is not None:
            self._outbox.purge()
            self._end("cancelled", {"type": "cancelled", "reason": reason})

    @property
    def _holdable(self) -> bool:
        policy = self.session.policy
        return self.session.state is State.SPEAKING and policy.holds and policy.interrupts

    def _speech_started(self, event: SpeechStarted) -> None:
        self.send(
            "input_audio_buffer.speech_started",
            audio_start_ms=round(event.at_s * 1000), item_id=self.session.asking.speech_id,
        )  # fmt: skip

    # ---- inside -------------------------------------------------------------------------------

    def _tell_extra(self, event: dict[str, Any]) -> None:
        known = {} if self.response is None else {"response_id": self.response.id, "item_id": self.response.item_id}
        self.send("voicechat.event", **known, state=STATES[self.session.state], event=event)

    def _count(self, event: Event) -> None:
        match event:
            case TurnEnded():
                self._metrics.observe_turn(event)
            case Interrupted():
                self._metrics.interruption()
                if self.response is not None:
                    self._metrics.turn_cut("interrupted")
            case Withdrawn():
                self._metrics.turn_cut("withdrawn")
            case Speculated():
                self._metrics.speculated(event)
            case Yielded() if event.gain == 1 and self._doubted is not None:
                self._metrics.resumed()
            case Failed() if event.turn is not None:
                self._metrics.turn_cut("failed")

    def _committed(self, event: Asked) -> None:
        item = spoken_item(event.id)
        before = self._items.insert(item, None)
        self._seconds[event.id] = event.seconds
        self.send("input_audio_buffer.committed", item_id=event.id, previous_item_id=before)
        self.send("conversation.item.added", previous_item_id=before, item=item)
        self.send("conversation.item.done", previous_item_id=before, item=item)

    def _begin(self, event: TurnStarted) -> None:
        self.end_cancelled()  # the session takes the last answer for played; its client is behind
        wanted = self.session.wanted
        shown = {
            "metadata": None, "max_output_tokens": wanted.max_tokens or "inf",
            "audio": {"output": {k: self._settings.session["audio"]["output"][k] for k in ("format", "voice")}},
            **self.shown,
        }  # fmt: skip
        self.shown = {}
        conversation_id = self._conversation_id if wanted.remembered else None
        self.response = Response(event.turn, event.answer, wanted.aloud, conversation_id, shown, self.send)
        self._sounding = self._answers[event.answer] = self.response
        for known in (self._answers, self._sent_s, self._seconds):
            for old in list(known)[:-REMEMBERED]:
                del known[old]
        self._format = self._settings.output_format
        self._encoder = Encoder(self._format)
        self._outbox.begin()
        self.response.begin(lambda item: self._items.insert(item, None))

    def _finish(self) -> None:
        """When leaving: whether the end of the sentence has come."""
        if self.leaving and not self.finished and (self.response is None or self._outbox.finish_sentence()):
            self.finished = True
            self._outbox.then(self.end_cancelled)

    def _answered(self, event: Answered) -> None:
        if self.finished:
            return
        self.finished = self.leaving
        response = self.response
        if response is not None and response.aloud:
            data = self._encoder.flush()
            self._outbox.sound(data, self._format.seconds(len(data)), "")
        usage = {
            "total_tokens": event.read + event.written,
            "input_tokens": event.read,
            "output_tokens": event.written,
        }
        if event.cut:
            details = {"type": "incomplete", "reason": "max_output_tokens"}
            self._outbox.then(lambda: self._end("incomplete", details, usage))
        else:
            self._outbox.then(lambda: self._end("completed", None, usage))

    def _failed(self, event: Failed) -> None:
        if event.turn is None:
            self.error("invalid_value", event.message, "audio")
            return
        details = {
            "type": "failed",
            "error": {"type": "server_error", "code": "server_error", "message": event.message},
        }
        self._outbox.then(lambda: self._end("failed", details))

    def _end(self, status: str, details: dict[str, Any] | None, usage: dict[str, Any] | None = None) -> None:
        response, self.response = self.response, None
        if response is None:
            return
        text = self._outbox.sent_text if response.aloud else response.text
        if self.finished and status == "completed" and text != self.session.answer_text:
            status, details = "cancelled", {"type": "cancelled"}
        response.end(text, status, details, usage)
        if response.conversation_id is not None and response.item_id in self._items:
            item = self._items.find(response.item_id, "retrieve")
            item["content"], item["status"] = response.content, "completed" if status == "completed" else "incomplete"

    def _transcribed(self, event: Heard) -> None:
        if event.id not in self._items:
            return
        item = self._items.find(event.id, "retrieve")
        item["content"] = [{"type": "input_audio", "transcript": event.text}]
        if not self._settings.transcribes:
            return
        name, place = "conversation.item.input_audio_transcription", {"item_id": event.id, "content_index": 0}
        if event.text:
            self.send(f"{name}.delta", **place, delta=event.text)
        usage = {"type": "duration", "seconds": round(self._seconds.get(event.id, 0.0), 3)}
        self.send(f"{name}.completed", **place, transcript=event.text, usage=usage)
