"""The client's ear: it plays an answer sample by sample, obeys what it is told, and keeps what sounded.

Time is handed in, in seconds, so the ear works by the samples of a recording as by the wall clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from bench.record import RATE, Answer, Span
from streaming.audio import Resampler

AUDIBLE = 2e-3  # of full scale
REPORT_S = 0.1  # between two reports of how much has been played
FADE = 80  # samples in which a gain changes


class Ear:
    """`at` adds what the client is told to a queue; `play` lives through it. `output` is what sounded."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.stale = 0  # pieces of sound that came for an answer that was to be dropped, or is not the newest
        self.now_s = 0.0
        self.log: list[tuple[float, str]] = []  # what happened, for the timeline
        self.stopped: list[Answer] = []  # of which the session has not been told how much was played
        self._output, self._end = np.zeros(30 * RATE, np.float32), 0  # with room to grow
        self._told: deque[tuple[float, Callable[[], None]]] = deque()
        self._queue: deque[np.ndarray] = deque()  # of the newest answer, at 16 kHz
        self._resampler = Resampler(RATE)
        self._position = 0  # samples of the newest answer that were played
        self._gain = self._faded = 1.0  # wanted, and reached
        self._reported = (-1.0, -1.0)  # seconds of the answer, when
        self._speak_up = False  # what happened is to be reported at once

    # ---- what the client is told ---------------------------------------------------------------

    def at(self, when_s: float, act: Callable[..., None], *given: object) -> None:
        self._told.append((when_s, lambda: act(*given)))

    def begin(self, turn: int, id: str) -> None:
        if self.answers:
            self.drop(self.answers[-1].turn)
        self.answers.append(Answer(turn, id, self.now_s))
        self._queue.clear()
        self._position, self._gain, self._resampler = 0, 1.0, Resampler(RATE)
        self._reported = (-1.0, -1.0)

    def sound(self, turn: int, samples: np.ndarray, rate: int, words: str) -> None:
        answer = self._newest(turn)
        if answer is None or answer.stopped_at is not None:
            self.stale += bool(len(samples))
            return
        if rate != self._resampler.rate:
            self._resampler = Resampler(rate)
        self._wait(self._resampler.push(samples))
        answer.sent_s += len(samples) / rate
        answer.words.append((answer.sent_s, words))

    def complete(self, turn: int) -> None:
        answer = self._newest(turn)
        if answer is not None and not answer.complete:
            self._wait(self._resampler.flush())
            answer.complete = True
            if not self._queue:
                self._end_of(answer, self.now_s)

    def turn_down(self, turn: int, gain: float) -> None:
        answer = self._newest(turn)
        if answer is None:
            return
        if gain < self._gain:
            answer.turned_down_at.append(self.now_s)
        answer.resumes += gain > 0 and self._gain == 0
        self._gain, self._speak_up = gain, True
        how = "held" if gain == 0 else f"at gain {gain:g}"
        self.log.append((self.now_s, f"answer {turn} is {how}, {answer.played_s:.2f} s into it"))

    def drop(self, turn: int) -> None:
        answer = self._newest(turn)
        if answer is not None and answer.stopped_at is None and not answer.played_out:
            self._queue.clear()
            answer.stopped_at = self.now_s
            self.stopped.append(answer)
            self.log.append((self.now_s, f"answer {turn} stops, {answer.played_s:.2f} s into it: {answer.text!r}"))

    def withdraw(self, turn: int) -> None:
        answer = self._newest(turn)
        if answer is not None:
            answer.withdrawn = True
            self.drop(turn)

    # ---- what it does --------------------------------------------------------------------------

    def play(self, until_s: float) -> None:
        """Until then, with everything that it is told before then."""
        while self._told and self._told[0][0] <= until_s:
            when_s, act = self._told.popleft()
            self._play(max(self.now_s, when_s))
            act()
        self._play(until_s)

    def heard(self, until_s: float, count: int) -> np.ndarray:
        """float32 [count]: the last samples that sounded before then; silence before the beginning."""
        end = min(round(until_s * RATE), self._end)
        part = self.output[max(0, end - count) : max(0, end)]
        return np.concatenate((np.zeros(count - len(part), np.float32), part))

    @property
    def output(self) -> np.ndarray:
        """float32 at 16 kHz: all that has sounded, and the silence between."""
        return self._output[: self._end]

    @property
    def sounding(self) -> bool:
        """Something of the newest answer waits to be played, be it held."""
        return bool(self.answers) and (bool(self._queue) or bool(self._told))

    def report(self) -> tuple[int, float] | None:
        """(turn, seconds played) of the newest answer, where the session is to be told of it now."""
        if not self.answers or self.answers[-1].stopped_at is not None:
            return None
        answer, (told_s, told_at) = self.answers[-1], self._reported
        news = answer.played_s != told_s
        if not self._speak_up and not (news and (answer.played_out or self.now_s - told_at >= REPORT_S - 1e-6)):
            return None
        self._speak_up, self._reported = False, (answer.played_s, self.now_s)
        return answer.turn, answer.played_s

    def _wait(self, samples: np.ndarray) -> None:
        if len(samples):
            self._queue.append(samples)

    def _newest(self, turn: int) -> Answer | None:
        return self.answers[-1] if self.answers and self.answers[-1].turn == turn else None

    def _play(self, until_s: float) -> None:
        count = round(until_s * RATE) - self._end
        start_s, self.now_s = self._end / RATE, until_s
        if count <= 0:
            return
        if self._end + count > len(self._output):
            self._output = np.concatenate((self._output, np.zeros(len(self._output) + count, np.float32)))
        out = self._output[self._end : self._end + count]
        taken = self._take(count) if self._queue and self._gain > 0 else np.zeros(0, np.float32)
        if len(taken):
            out[: len(taken)] = taken * self._gains(len(taken))
            self._note(self.answers[-1], out, start_s, len(taken))
        else:
            self._faded = self._gain
        self._end += count

    def _take(self, count: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        while self._queue and count:
            part = self._queue.popleft()
            if len(part) > count:
                self._queue.appendleft(part[count:])
                part = part[:count]
            parts.append(part)
            count -= len(part)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _gains(self, count: int) -> np.ndarray:
        ramp = np.full(count, self._gain, np.float32)
        if self._faded != self._gain:
            steps = min(FADE, count)
            ramp[:steps] = np.linspace(self._faded, self._gain, steps, dtype=np.float32)
            self._faded = self._gain
        return ramp

    def _note(self, answer: Answer, out: np.ndarray, start_s: float, count: int) -> None:
        end_s = start_s + count / RATE
        last = answer.spans[-1] if answer.spans else None
        if last and start_s - last.end_s < 1e-3 and last.gain == self._gain:
            last.end_s = end_s
        else:
            answer.spans.append(Span(start_s, end_s, self._gain))
        if answer.sounded_at is None and (loud := np.flatnonzero(np.abs(out) > AUDIBLE)).size:
            answer.sounded_at = start_s + int(loud[0]) / RATE
            self.log.append((answer.sounded_at, f"answer {answer.turn} begins to sound"))
        self._position += count
        answer.played_s = min(self._position / RATE, answer.sent_s)
        if answer.complete and not self._queue:
            self._end_of(answer, end_s)

    def _end_of(self, answer: Answer, at_s: float) -> None:
        answer.played_s = answer.sent_s
        self.log.append((at_s, f"answer {answer.turn} has been played to its end: {answer.text!r}"))
