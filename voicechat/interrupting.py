"""Somebody speaks into an answer: to interrupt it, to go on with the question, or to nobody here?"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from streaming.endpoint import BREATH_S
from voicechat.blocking import Worker
from voicechat.conversation import Clip
from voicechat.ears import Ears
from voicechat.judging import Judging
from voicechat.model import Memory
from voicechat.turntaking import Input, Policy
from voicechat.verdict import Verdict

SOON_S = 0.6  # of an answer: the time that it takes to notice that the microphone hears it
DOUBT_S = 0.4  # more of waiting for that
WORD_S = 0.3  # of voice behind its confirmation: whoever has said more has said a word


class Interrupting:
    """While the answer stands still it is found out, by how long is spoken and by what the model makes of it.

    `decided` is told: MEANT, RESUMED or ASIDE. Times are seconds of sound received.
    """

    def __init__(self, memory: Memory, thinking: Worker, ears: Ears, decided: Callable[[Input], None]) -> None:
        self._ears, self._decided = ears, decided
        self._judges = memory.marks != "none"
        self._judging = Judging(memory, thinking, self._judged)
        self._policy = Policy()
        self._meant = Input.MEANT  # what it is if it is anything
        self._listed = False  # the question was a list, of which one more is no half sentence
        self._doubted = False  # it may be the echo of the answer: that is not known when it begins
        self._held_s = 0.0  # since when the answer stands still
        self._judge_s = inf  # when what was said is judged
        self._let_go_s = inf  # when the answer goes on, if no more is said

    def begin(self, policy: Policy, heard_s: float, answers: Verdict | None) -> None:
        """Speech, when so many seconds of the newest answer have been heard.

        `answers`: the verdict on the spoken question that it answers; None where that was typed.
        """
        self._policy, self._judge_s, self._let_go_s = policy, inf, inf
        self._listed = answers is Verdict.OPEN
        moment_s = policy.open_moment_s if self._listed else policy.moment_s
        self._meant = Input.RESUMED if answers is not None and heard_s < moment_s else Input.MEANT
        self._doubted = not self._ears.echoes and heard_s < SOON_S

    def hold(self) -> None:
        """The answer stands still from now on."""
        self._held_s = self._ears.now_s

    def pause(self) -> None:
        """The speaker is silent for a moment. Half a word is none: it is judged after a breath."""
        self._judge_s = self._ears.voice_end_s + BREATH_S + (DOUBT_S if self._doubted else 0.0)

    def resume(self) -> None:
        """And speaks on."""
        self._judge_s = self._let_go_s = inf
        self._judging.stop()

    def stop(self) -> None:
        """It is decided."""
        self._judging.stop()

    async def close(self) -> None:
        await self._judging.close()

    @property
    def meaning(self) -> Input:
        """What it is as far as it is known now."""
        return Input.ASIDE if self._is_echo else self._meant

    def listen(self, instructions: Callable[[], str]) -> None:
        """At each frame while the answer stands still; `instructions` are the model's."""
        now_s = self._ears.voice_end_s + self._ears.silent_s
        if self._ears.voice_end_s - self._held_s >= self._policy.meant_s:
            self._decided(self.meaning)
        elif self._judge_s < inf and (self._is_echo or now_s >= self._judge_s):
            self._judge_s, clip = inf, self._ears.catch_up()
            if self._judges and clip is not None and not self._is_echo:
                self._judging.start(clip, instructions())
            else:
                self._decided(self.meaning)
        elif now_s >= self._let_go_s:
            self._decided(Input.ASIDE)

    @property
    def _is_echo(self) -> bool:
        """It is the answer itself, as has been found meanwhile."""
        return self._doubted and self._ears.echoes

    def _judged(self, clip: Clip, verdict: Verdict | None) -> None:
        if self._ears.clip is not clip:
            return
        short = self._ears.voice_end_s - self._held_s < WORD_S
        next_one = self._listed and self._meant is Input.RESUMED
        half = verdict is Verdict.UNFINISHED and short and not next_one  # a word, or a cough: more will tell
        if half and not self._is_echo:
            self._let_go_s = self._ears.voice_end_s + self._policy.half_s
        else:
            self._decided(Input.ASIDE if verdict is Verdict.ASIDE else self.meaning)
