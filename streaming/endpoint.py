"""When someone speaks: speech probabilities in, starts, pauses and finished turns out.

Pure: no audio, no clock. One call is one frame, and time is the number of frames seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BREATH_S = 0.128  # who has been silent for so long begins anew
STIR = 0.3  # probability at which it may be a voice


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech is confirmed; its segment starts at `at_s` seconds, pre-roll included."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The speaker has been quiet for `pause_s`; the voice stopped at `at_s` seconds."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """After a pause the voice came back at `at_s` seconds; the segment goes on."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """A turn is over, from `start_s` to `end_s` seconds; `cut`: it reached `max_turn_s` first.

    What is said after a cut belongs to nothing, until there has been a pause.
    """

    start_s: float
    end_s: float
    cut: bool = False


SpeechEvent = SpeechStarted | SpeechPaused | SpeechResumed | SpeechSegment


@dataclass(frozen=True, slots=True)
class EndpointTimes:
    """What counts as speech (probabilities) and for how long (seconds, rounded up to whole frames)."""

    threshold: float = 0.5  # the voice begins at this probability
    release: float = 0.35  # and lasts until it falls below this one
    min_speech_s: float = 0.1  # shorter than this is a click
    pause_s: float = 0.032
    silence_s: float = 0.5
    pre_roll_s: float = 0.3
    post_roll_s: float = 0.1
    max_turn_s: float = 60.0

    def __post_init__(self) -> None:
        rules = {
            "0 < release <= threshold < 1": 0 < self.release <= self.threshold < 1,
            "min_speech_s > 0": self.min_speech_s > 0,
            "0 < pause_s <= silence_s": 0 < self.pause_s <= self.silence_s,
            "pre_roll_s >= 0": self.pre_roll_s >= 0,
            "0 <= post_roll_s <= silence_s": 0 <= self.post_roll_s <= self.silence_s,
            "max_turn_s > pre_roll_s + min_speech_s": self.max_turn_s > self.pre_roll_s + self.min_speech_s,
            "max_turn_s finite": math.isfinite(self.max_turn_s),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError(f"these times cannot work: make {' and '.join(broken)} ({self})")


class Endpointer:
    """Speech probabilities, one a frame of `frame_s` seconds -> speech events.

    Hysteresis thresholds and hang-over times, as silero's `VADIterator` has them, with pauses, a longest
    turn and a click filter. Only a start needs `min_speech_s` of unbroken voice: inside a turn any voiced
    frame counts, since losing a soft word costs more than waiting. How much silence ends a turn can be
    changed while the speaker pauses (`wait`), when it is known better whether he has finished.
    """

    def __init__(self, times: EndpointTimes, frame_s: float = 0.032, seen: float = 0) -> None:
        """`seen`: how many frames have passed already; time goes on from there, and no segment begins earlier."""
        if not frame_s > 0:
            raise ValueError(f"frame_s is {frame_s}: make it positive, e.g. 0.032")
        self.times = times
        self.frame_s = frame_s
        self._min_speech = _frames(times.min_speech_s, frame_s)
        self._pause, self._breath = _frames(times.pause_s, frame_s), _frames(BREATH_S, frame_s)
        self.reset()
        self._now, self._free_s = seen, seen * frame_s

    def reset(self) -> None:
        """Forget everything; time starts at 0 again."""
        self._now = 0.0  # frames seen
        self._voiced = self._stirs = False
        self._run = 0  # voiced frames in a row
        self._voice_end = 0.0  # frame after the last voiced one
        self._missed = 0  # frames since, that did not come
        self._paused = False
        self._rambling = False  # the voice goes on after a cut
        self._silence = _frames(self.times.silence_s, self.frame_s)
        self._start_s: float | None = None  # of the open segment
        self._free_s = 0.0  # no segment starts before this: the end of the previous one

    @property
    def speaking(self) -> bool:
        """A segment is open, be it paused."""
        return self._start_s is not None

    @property
    def stirs(self) -> bool:
        """The last frame may have held a voice."""
        return self._stirs

    @property
    def now_s(self) -> float:
        """Seconds seen so far."""
        return self._now * self.frame_s

    @property
    def silent_s(self) -> float:
        """Seconds since the voice last stopped, with those in which nothing came."""
        return self._silent * self.frame_s

    @property
    def voice_end_s(self) -> float:
        """Where the voice last stopped, or now, while it goes on."""
        return self._voice_end * self.frame_s

    def step(self, probability: float) -> list[SpeechEvent]:
        """The speech probability of the next frame, 0..1 -> what it decides, oldest first."""
        self._now += 1
        self._voiced = probability >= (self.times.release if self._voiced else self.times.threshold)
        self._stirs = probability >= STIR
        self._run = self._run + 1 if self._voiced else 0
        if self._voiced:
            self._voice_end, self._missed = self._now, 0
        events = self._started() if self._start_s is None else self._went_on()
        return events + self._finished()

    def starve(self) -> list[SpeechEvent]:
        """Nothing comes where a frame was due: that is silence, and no time of the stream."""
        self._missed += 1
        self._voiced = self._stirs = False
        self._run = 0
        return [] if self._start_s is None else self._went_on() + self._finished()

    def found(self) -> None:
        """What did not come is coming now: it tells by itself what is silence."""
        self._missed = 0

    def wait(self, silence_s: float) -> list[SpeechEvent]:
        """In this pause so much silence ends the turn: what that decides already. Nothing where the voice is back."""
        if not self._paused:
            return []
        self._silence = _frames(silence_s, self.frame_s)
        return self._finished()

    def dismiss(self) -> None:
        """The open segment was none. Speech that goes on is confirmed afresh."""
        if self._start_s is not None:
            self._close(self._start_s, self.now_s, cut=False)

    def flush(self) -> list[SpeechEvent]:
        """The stream is over: closes an open segment. Time goes on from here; `reset` starts anew."""
        self._voiced = self._stirs = False
        self._run = 0
        return [] if self._start_s is None else [self._close(self._start_s, self._quiet_end_s(), cut=False)]

    @property
    def _silent(self) -> float:
        """Frames since the last voiced one."""
        return self._now - self._voice_end + self._missed

    def _started(self) -> list[SpeechEvent]:
        if self._silent >= self._breath:
            self._rambling = False
        if self._run < self._min_speech or self._rambling:
            return []
        onset_s = (self._now - self._run) * self.frame_s
        self._start_s = max(self._free_s, onset_s - self.times.pre_roll_s)
        return [SpeechStarted(self._start_s)]

    def _went_on(self) -> list[SpeechEvent]:
        if self._voiced and self._paused:
            self._paused = False
            self._silence = _frames(self.times.silence_s, self.frame_s)
            return [SpeechResumed((self._now - 1) * self.frame_s)]
        if self._silent >= self._pause and not self._paused:
            self._paused = True
            return [SpeechPaused(self.voice_end_s)]
        return []

    def _finished(self) -> list[SpeechEvent]:
        if self._start_s is None:
            return []
        if self._silent >= self._silence:
            return [self._close(self._start_s, self._quiet_end_s(), cut=False)]
        if self.now_s - self._start_s >= self.times.max_turn_s:
            return [self._close(self._start_s, self.now_s, cut=True)]
        return []

    def _quiet_end_s(self) -> float:
        return min(self.now_s, self.voice_end_s + self.times.post_roll_s)

    def _close(self, start_s: float, end_s: float, cut: bool) -> SpeechSegment:
        self._start_s, self._free_s, self._paused = None, end_s, False
        self._silence = _frames(self.times.silence_s, self.frame_s)
        self._run = 0
        self._rambling = cut and self._silent < self._breath
        return SpeechSegment(start_s, end_s, cut)


def _frames(seconds: float, frame_s: float) -> int:
    """Whole frames that last at least `seconds`; 0.16 s is 5 frames of 0.032 s whatever the rounding."""
    return max(1, math.ceil(seconds / frame_s - 1e-6))
