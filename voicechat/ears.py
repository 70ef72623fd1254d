"""What a session hears with: any microphone -> frames -> speech events, and the clip of what is said."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from streaming.aec import EchoCanceller
from streaming.audio import RATE, AudioChunk, Blocks, Resampler
from streaming.endpoint import Endpointer, EndpointTimes, SpeechEvent, SpeechPaused
from streaming.near import FLOOR_DB, Nearness, level_db
from streaming.vad import VoiceActivity
from voicechat.conversation import Clip

RECENT_S = 10.0  # of sound kept, so that a clip can begin before its speech was confirmed
FRAME = VoiceActivity.FRAME


class Ears:
    """Time is samples received. The clip of a turn grows while somebody speaks, and waits in pauses."""

    def __init__(self, times: EndpointTimes | None) -> None:
        self.clip: Clip | None = None
        self._activity, self._nearness = VoiceActivity(), Nearness(FRAME / RATE)
        self._level = FLOOR_DB  # of the loudest frame of what is being said
        self._blocks, self._resampler = Blocks(FRAME), Resampler(RATE)
        self._canceller = EchoCanceller(RATE)
        self._short = Blocks(self._canceller.block)
        self._recent: deque[np.ndarray] = deque(maxlen=round(RECENT_S * RATE / FRAME))
        self._samples = 0  # received, at 16 kHz
        self.clip_end = 0  # the sample at which the clip ends, or ended
        self._paused = False
        self.listen(times)

    def listen(self, times: EndpointTimes | None) -> None:
        """Look for speech by these times, from now on; None: every sound is meant for us, until `commit`."""
        self._endpointer = Endpointer(times, FRAME / RATE, self._samples / FRAME) if times else None
        self._paused = False

    @property
    def now_s(self) -> float:
        """Seconds of sound received."""
        return self._samples / RATE

    @property
    def voice_end_s(self) -> float:
        """Where the voice last stopped."""
        return self.now_s if self._endpointer is None else self._endpointer.voice_end_s

    @property
    def silent_s(self) -> float:
        """Seconds since the voice last stopped, with those in which nothing came."""
        return 0.0 if self._endpointer is None else self._endpointer.silent_s

    @property
    def stirs(self) -> bool:
        """The last frame may have held a voice."""
        return self._endpointer is not None and self._endpointer.stirs

    @property
    def paused(self) -> bool:
        """Whoever speaks is silent for the moment."""
        return self._paused

    @property
    def echoes(self) -> bool:
        """The microphone hears what is played; from now on that is cancelled."""
        return self._canceller.echoes

    def wait(self, silence_s: float) -> list[SpeechEvent]:
        """In this pause so much silence ends the turn: what that decides already."""
        events = [] if self._endpointer is None else self._endpointer.wait(silence_s)
        self._paused = self._paused and not events
        return events

    def dismiss(self) -> None:
        """What is being said is no turn."""
        if self._endpointer is not None:
            self._endpointer.dismiss()
        self._paused = False

    def frames(self, chunk: AudioChunk, played: Callable[[int], np.ndarray]) -> Iterator[np.ndarray]:
        """What the microphone delivers, in frames of the VAD's size, without the echo of what is `played` beside it.

        `played(n)` gives the next float32 [n] at 16 kHz. Raises AudioError for sound that is none.
        """
        samples = self._resampled(chunk)
        for block in self._short.push(samples):
            yield from self._blocks.push(self._canceller.process(block, played(len(block))))

    def hear(self, frame: np.ndarray) -> Iterator[SpeechEvent]:
        """Take in one frame; tell what it decides. The caller opens the clip when it is told of a start."""
        if self._endpointer is None and self.clip is None:
            self._begin(Clip(), self._samples)
        self._recent.append(frame)
        self._samples += len(frame)
        if self._endpointer is not None:
            level = level_db(frame)
            probability = self._nearness.step(level, self._activity.probability(frame))
            self._level = max(self._level, level) if self._endpointer.speaking else level
            yield from self._noted(self._endpointer.step(probability))
        if not self._paused:
            self._grow()

    def starve(self) -> Iterator[SpeechEvent]:
        """Nothing comes where a frame was due: what that decides."""
        if self._endpointer is not None:
            yield from self._noted(self._endpointer.starve())

    def found(self) -> None:
        """What did not come is coming now."""
        if self._endpointer is not None:
            self._endpointer.found()

    def answered(self) -> None:
        """What is being said is for us: who talks much softer does not talk to us."""
        if self._endpointer is not None:
            self._nearness.answered(self._level)

    def end(self) -> list[SpeechEvent]:
        """Whoever speaks has finished."""
        return [] if self._endpointer is None else self._endpointer.flush()

    def open(self, at_s: float) -> None:
        """Begin a clip at this time, which may lie a little in the past."""
        self._begin(Clip(), round(at_s * RATE))

    def go_on(self, clip: Clip, end: int) -> None:
        """Let a clip grow again that had ended at that sample, over the gap since."""
        self._begin(clip, end)

    def catch_up(self) -> Clip | None:
        """The clip, with the pause so far."""
        self._grow()
        return self.clip

    def close(self) -> Clip | None:
        """The clip is complete as it is: nothing is added in a pause."""
        clip, self.clip = self.clip, None
        return clip

    def forget(self) -> None:
        """Nothing of what was received is kept but its time. A new stream begins."""
        self.close()
        self._samples += len(self._rest())
        self._recent.clear()
        self._activity.reset()

    def take(self) -> Clip | None:
        """All that was received, to the last sample, where no speech is looked for."""
        for _ in self.hear(self._rest()):
            pass
        return self.close()

    def _resampled(self, chunk: AudioChunk) -> np.ndarray:
        """float32 [n] at 16 kHz; what was received at another rate before comes first. Raises AudioError."""
        if chunk.rate == self._resampler.rate:
            return self._resampler.push(chunk.samples)
        resampler = Resampler(chunk.rate)
        samples = resampler.push(chunk.samples)
        before, self._resampler = self._resampler.flush(), resampler
        return np.concatenate([before, samples])

    def _rest(self) -> np.ndarray:
        """What does not fill a frame yet, and what the resampler still holds."""
        rest = np.concatenate((self._blocks.rest, self._short.rest, self._resampler.flush()))
        self._blocks.rest = self._short.rest = np.zeros(0, np.float32)
        return rest

    def _noted(self, events: list[SpeechEvent]) -> Iterator[SpeechEvent]:
        for event in events:
            if isinstance(event, SpeechPaused):
                self._grow()
            self._paused = isinstance(event, SpeechPaused)
            yield event

    def _begin(self, clip: Clip, start: int) -> None:
        kept = sum(map(len, self._recent))
        self.clip, self.clip_end = clip, max(start, self._samples - kept)
        self._grow()

    def _grow(self) -> None:
        missing = self._samples - self.clip_end
        if self.clip is not None and missing:
            frames: list[np.ndarray] = []
            while sum(map(len, frames)) < missing:
                frames.append(self._recent[-1 - len(frames)])
            # A copy: a view would keep alive all that was put together.
            self.clip.append(np.concatenate(frames[::-1])[-missing:].copy())
            self.clip_end = self._samples
