"""Whose turn it is: a pure table, without audio, clock or tasks.

LISTENING   nobody speaks
HEARING     the user speaks
THINKING    the user has finished, the answer has not begun to sound
SPEAKING    the answer is being played
HELD        the user speaks: the answer stands still until it is known whether that was meant to interrupt
OVERLAP     the user speaks while an answer goes on
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from streaming.endpoint import EndpointTimes
from voicechat.verdict import Verdict


class State(Enum):
    LISTENING = auto()
    HEARING = auto()
    THINKING = auto()
    SPEAKING = auto()
    HELD = auto()
    OVERLAP = auto()


class Input(Enum):
    SPEECH = auto()  # the user's speech is confirmed
    SPEECH_OVER = auto()  # the user's turn is over
    ASIDE = auto()  # what the user said asks for nothing
    MEANT = auto()  # what the user says is meant to interrupt
    RESUMED = auto()  # the user goes on with what was taken for finished: the answer has hardly begun
    LATE = auto()  # the user went on with what was taken for finished, and it came late
    TYPED = auto()  # a typed turn has arrived
    ASKED = auto()  # an answer is wanted to what the conversation holds
    SOUNDING = auto()  # the first sound of the answer has been sent
    ANSWER_OVER = auto()  # the answer has been played to its end, or there is none
    STOP = auto()  # no more of the answer is wanted
    FORGET = auto()  # what is being said is not for us


class Action(Enum):
    OPEN = auto()  # begin a clip where the speech began
    GO_ON = auto()  # the same clip goes on: the user was not done
    DROP = auto()  # forget the clip
    COMMIT = auto()  # what was said or typed joins the conversation
    TAKE_BACK = auto()  # and leaves it again
    HOLD = auto()  # the answer stands still
    PLAY = auto()  # and goes on where it stood
    BEGIN = auto()  # ask the model
    CANCEL = auto()  # stop an answer of which nothing was heard
    WITHDRAW = auto()  # nothing of an answer counts that is over, or was stopped
    INTERRUPT = auto()  # stop an answer, and keep of it what was heard


@dataclass(frozen=True, slots=True)
class Patience:
    """How much silence ends a turn, in seconds, by what the model makes of what was said so far."""

    finished_s: float = 0.128
    unjudged_s: float = 0.8  # it has made nothing of it yet
    open_s: float = 1.0
    unfinished_s: float = 2.0

    def after(self, verdict: Verdict | None) -> float:
        match verdict:
            case None:
                return self.unjudged_s
            case Verdict.OPEN:
                return self.open_s
            case Verdict.UNFINISHED:
                return self.unfinished_s
            case Verdict.FINISHED | Verdict.ASIDE:
                return self.finished_s

    def scaled(self, factor: float) -> Patience:
        """More of it, or less; what is complete is answered as soon as ever."""
        return replace(
            self, **{name: factor * getattr(self, name) for name in ("unjudged_s", "open_s", "unfinished_s")}
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """How turns are taken. Without `detects`, only when told (push to talk)."""

    detects: bool = True  # by voice activity
    answers: bool = True  # as soon as the user's turn is over
    interrupts: bool = True  # speech stops an answer
    times: EndpointTimes = field(default_factory=EndpointTimes)
    patience: Patience | None = None  # None: `times.silence_s` ends a turn, whatever was said
    holds: bool = False  # the client can stop the sound of an answer and go on with it
    meant_s: float = 0.8  # who speaks for so long while an answer is held means to interrupt
    half_s: float = 0.7  # who begins a word into an answer, and then says nothing for so long, lets it go on
    moment_s: float = 0.5  # who speaks before so much of an answer has sounded goes on with the question
    open_moment_s: float = 1.0  # the same where the question might have gone on: digits, letters
    idle_s: float | None = None  # a silence after which a word is said, once

    @classmethod
    def judged(cls, times: EndpointTimes, patience: Patience | None = None) -> Policy:
        """By what was said, with a client that can hold."""
        patience = patience or Patience()
        return cls(times=replace(times, silence_s=patience.unjudged_s), patience=patience, holds=True)

    def silence_s(self, verdict: Verdict | None) -> float:
        return self.times.silence_s if self.patience is None else self.patience.after(verdict)


Table = dict[tuple[State, Input], tuple[State, tuple[Action, ...]]]

TABLE: Table = {
    (State.LISTENING, Input.SPEECH): (State.HEARING, (Action.OPEN,)),
    (State.LISTENING, Input.TYPED): (State.THINKING, (Action.COMMIT, Action.BEGIN)),
    (State.LISTENING, Input.ASKED): (State.THINKING, (Action.BEGIN,)),
    (State.LISTENING, Input.LATE): (State.HEARING, (Action.WITHDRAW, Action.GO_ON)),
    (State.HEARING, Input.LATE): (State.HEARING, (Action.DROP, Action.WITHDRAW, Action.GO_ON)),
    (State.HEARING, Input.SPEECH_OVER): (State.THINKING, (Action.COMMIT, Action.BEGIN)),
    (State.HEARING, Input.TYPED): (State.THINKING, (Action.DROP, Action.COMMIT, Action.BEGIN)),
    (State.HEARING, Input.ASKED): (State.OVERLAP, (Action.BEGIN,)),
    (State.HEARING, Input.ASIDE): (State.LISTENING, (Action.COMMIT, Action.TAKE_BACK)),
    (State.HEARING, Input.FORGET): (State.LISTENING, (Action.DROP,)),
    (State.THINKING, Input.SPEECH): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.THINKING, Input.LATE): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.THINKING, Input.TYPED): (State.THINKING, (Action.CANCEL, Action.COMMIT, Action.BEGIN)),
    (State.THINKING, Input.ASKED): (State.THINKING, (Action.CANCEL, Action.BEGIN)),
    (State.THINKING, Input.SOUNDING): (State.SPEAKING, ()),
    (State.THINKING, Input.ANSWER_OVER): (State.LISTENING, ()),
    (State.THINKING, Input.STOP): (State.LISTENING, (Action.CANCEL,)),
    (State.SPEAKING, Input.SPEECH): (State.HEARING, (Action.INTERRUPT, Action.OPEN)),
    (State.SPEAKING, Input.RESUMED): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.SPEAKING, Input.TYPED): (State.THINKING, (Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.SPEAKING, Input.ASKED): (State.THINKING, (Action.BEGIN,)),
    (State.SPEAKING, Input.LATE): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.SPEAKING, Input.ANSWER_OVER): (State.LISTENING, ()),
    (State.SPEAKING, Input.STOP): (State.LISTENING, (Action.INTERRUPT,)),
    (State.HELD, Input.MEANT): (State.HEARING, (Action.INTERRUPT,)),
    (State.HELD, Input.RESUMED): (State.HEARING, (Action.DROP, Action.CANCEL, Action.GO_ON)),
    (State.HELD, Input.LATE): (State.HEARING, (Action.DROP, Action.CANCEL, Action.GO_ON)),
    (State.HELD, Input.ASIDE): (State.SPEAKING, (Action.DROP, Action.PLAY)),
    (State.HELD, Input.SPEECH_OVER): (State.THINKING, (Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.HELD, Input.TYPED): (State.THINKING, (Action.DROP, Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.HELD, Input.ASKED): (State.OVERLAP, (Action.INTERRUPT, Action.BEGIN)),
    (State.HELD, Input.STOP): (State.HEARING, (Action.INTERRUPT,)),
    (State.HELD, Input.FORGET): (State.SPEAKING, (Action.DROP, Action.PLAY)),
    (State.OVERLAP, Input.SPEECH_OVER): (State.SPEAKING, (Action.COMMIT,)),
    (State.OVERLAP, Input.TYPED): (State.THINKING, (Action.DROP, Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.OVERLAP, Input.ASKED): (State.OVERLAP, (Action.BEGIN,)),
    (State.OVERLAP, Input.ANSWER_OVER): (State.HEARING, ()),
    (State.OVERLAP, Input.STOP): (State.HEARING, (Action.INTERRUPT,)),
    (State.OVERLAP, Input.FORGET): (State.SPEAKING, (Action.DROP,)),
}

UNANSWERED: Table = {  # where the user's turn is not to be answered by itself
    (State.HEARING, Input.SPEECH_OVER): (State.LISTENING, (Action.COMMIT,)),
    (State.HELD, Input.SPEECH_OVER): (State.LISTENING, (Action.INTERRUPT, Action.COMMIT)),
}

HOLDING: Table = {  # where the sound of an answer can stand still
    (State.SPEAKING, Input.SPEECH): (State.HELD, (Action.HOLD, Action.OPEN)),
}

UNINTERRUPTED: Table = {  # where speech does not stop an answer
    (State.THINKING, Input.SPEECH): (State.OVERLAP, (Action.OPEN,)),
    (State.SPEAKING, Input.SPEECH): (State.OVERLAP, (Action.OPEN,)),
    (State.SPEAKING, Input.RESUMED): (State.OVERLAP, (Action.OPEN,)),
    (State.THINKING, Input.LATE): (State.OVERLAP, (Action.OPEN,)),
    (State.SPEAKING, Input.LATE): (State.OVERLAP, (Action.OPEN,)),
}


def take(state: State, happened: Input, policy: Policy | None = None) -> tuple[State, tuple[Action, ...]]:
    """The next state, and what to do on the way, in order. What does not matter in a state changes nothing."""
    policy = policy or Policy()
    rules = TABLE
    if not policy.answers:
        rules = rules | UNANSWERED
    if policy.holds:
        rules = rules | HOLDING
    if not policy.interrupts:
        rules = rules | UNINTERRUPTED
    return rules.get((state, happened), (state, ()))
