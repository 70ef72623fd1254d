"""What the server counts, for Prometheus."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Literal, NoReturn

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from voicechat.events import Speculated, TurnEnded

Outcome = Literal["completed", "interrupted", "failed", "withdrawn"]
OUTCOMES: tuple[Outcome, ...] = ("completed", "interrupted", "failed", "withdrawn")

LATENCY_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2.5, 5, 10)
VOICE_TO_VOICE_S = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 3, 5, 10)
DEPTH = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
AHEAD_S = (0.1, 0.25, 0.5, 1, 1.5, 1.9, 2, 2.1, 2.5, 5)
LOOK_S = 0.25  # between two looks at the event loop
LOOKS = 60  # whose worst is told: those of the last 15 s, so that a scrape misses none


class Metrics:
    """One per server. Names begin with `voicechat_`; every label value is known beforehand or is ours."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(namespace="voicechat", registry=registry)

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(name, told, labels, namespace="voicechat", registry=registry)

        def histogram(name: str, told: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, told, buckets=buckets, namespace="voicechat", registry=registry)

        self._sessions = Gauge("sessions", "Open now.", namespace="voicechat", registry=registry)
        self._opened = counter("sessions_opened_total", "Opened so far.")
        self._refused = counter("refused_total", "Connections that were not let in.", "reason")
        self._turns = counter("turns_total", "Turns, by how they ended.", "outcome")
        self._interruptions = counter("interruptions_total", "Times that a user spoke into an answer.")
        self._speculations = counter(
            "speculations_total", "Answers begun in secret, by whether they were wanted.", "kept"
        )
        self._wasted = counter("speculation_wasted_seconds_total", "Of work for answers that were not wanted.")
        self._resumed = counter("resumed_total", "Answers that were held, and went on: it was no interruption.")
        self._first_token = histogram("first_token_seconds", "Turn decided -> first token.", LATENCY_S)
        self._first_audio = histogram("first_audio_seconds", "Turn decided -> first sound.", LATENCY_S)
        self._voice_to_voice = histogram(
            "voice_to_voice_seconds", "Last sample of speech -> first sound, at the server.", VOICE_TO_VOICE_S
        )
        self._depth = histogram("outbox_depth", "What waits on a connection when something is sent.", DEPTH)
        self._ahead = histogram("audio_ahead_seconds", "Sound sent ahead of real time, when sound is sent.", AHEAD_S)
        self._lagging = counter("lagging_closed_total", "Connections closed because the client read too slowly.")
        self._errors = counter("errors_total", "Error events sent to clients.", "code")
        self._lag = Gauge(
            "event_loop_lag_seconds", "The event loop's longest delay in the last 15 s.",
            namespace="voicechat", registry=registry,
        )  # fmt: skip
        self._tasks = Gauge("tasks", "Tasks of the event loop.", namespace="voicechat", registry=registry)
        self._received = counter("received_bytes_total", "Payload of the clients' frames.")
        self._sent = counter("sent_bytes_total", "Payload of the server's frames.")
        for outcome in OUTCOMES:
            self._turns.labels(outcome)  # so that a rate is there before the first one

    def session_opened(self) -> None:
        self._sessions.inc()
        self._opened.inc()

    def session_closed(self) -> None:
        self._sessions.dec()

    def refused(self, reason: str) -> None:
        """`reason` is a code of ours, such as server_full; never a client's words."""
        self._refused.labels(reason).inc()

    def observe_turn(self, event: TurnEnded) -> None:
        """A turn whose answer was made to its end."""
        self._turns.labels("completed").inc()
        timing = event.timing
        for histogram, ms in (
            (self._first_token, timing.first_token_ms),
            (self._first_audio, timing.first_audio_ms),
            (self._voice_to_voice, timing.voice_to_voice_ms),
        ):
            if ms is not None:
                histogram.observe(ms / 1e3)

    def turn_cut(self, outcome: Literal["interrupted", "failed", "withdrawn"]) -> None:
        """A turn whose answer was not made to its end."""
        self._turns.labels(outcome).inc()

    def interruption(self) -> None:
        """Whether or not the answer had been made to its end by then."""
        self._interruptions.inc()

    def speculated(self, event: Speculated) -> None:
        self._speculations.labels(str(event.kept).lower()).inc()
        if not event.kept:
            self._wasted.inc(event.cost_ms / 1e3)

    def resumed(self) -> None:
        """An answer that had been held goes on."""
        self._resumed.inc()

    def error(self, code: str) -> None:
        """`code` is the protocol's, or ours; never a client's words."""
        self._errors.labels(code).inc()

    def received(self, n_bytes: int) -> None:
        self._received.inc(n_bytes)

    def sent(self, n_bytes: int, depth: int, ahead_s: float | None = None) -> None:
        """A frame has been sent: what waits behind it, and for sound how far ahead of real time it is."""
        self._sent.inc(n_bytes)
        self._depth.observe(depth)
        if ahead_s is not None:
            self._ahead.observe(ahead_s)

    def lagging_closed(self) -> None:
        self._lagging.inc()

    async def watch_loop(self) -> NoReturn:
        """Until it is cancelled."""
        lags: deque[float] = deque(maxlen=LOOKS)
        while True:
            asleep = perf_counter()
            await asyncio.sleep(LOOK_S)
            lags.append(max(0.0, perf_counter() - asleep - LOOK_S))
            self._lag.set(max(lags))
            self._tasks.set(len(asyncio.all_tasks()))

    def exposition(self) -> tuple[bytes, str]:
        """The body of /metrics and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
