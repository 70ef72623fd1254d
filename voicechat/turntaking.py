"""Whose turn it is: a pure table, without audio, clock or tasks.

LISTENING   nobody speaks
HEARING     the user speaks
THINKING    the user has finished, the answer has not begun to sound
SPEAKING    the answer is being played
OVERLAP     the user speaks while an answer goes on
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from streaming.endpoint import EndpointTimes


class State(Enum):
    LISTENING = auto()
    HEARING = auto()
    THINKING = auto()
    SPEAKING = auto()
    OVERLAP = auto()


class Input(Enum):
    SPEECH = auto()  # the user's speech is confirmed
    SPEECH_OVER = auto()  # the user's turn is over
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
    BEGIN = auto()  # ask the model
    CANCEL = auto()  # stop an answer of which nothing was heard
    INTERRUPT = auto()  # stop an answer, and keep of it what was heard


@dataclass(frozen=True, slots=True)
class Policy:
    """How turns are taken. Without `detects`, only when told (push to talk)."""

    detects: bool = True  # by voice activity
    answers: bool = True  # as soon as the user's turn is over
    interrupts: bool = True  # speech stops an answer
    times: EndpointTimes = field(default_factory=EndpointTimes)


Table = dict[tuple[State, Input], tuple[State, tuple[Action, ...]]]

TABLE: Table = {
    (State.LISTENING, Input.SPEECH): (State.HEARING, (Action.OPEN,)),
    (State.LISTENING, Input.TYPED): (State.THINKING, (Action.COMMIT, Action.BEGIN)),
    (State.LISTENING, Input.ASKED): (State.THINKING, (Action.BEGIN,)),
    (State.HEARING, Input.SPEECH_OVER): (State.THINKING, (Action.COMMIT, Action.BEGIN)),
    (State.HEARING, Input.TYPED): (State.THINKING, (Action.DROP, Action.COMMIT, Action.BEGIN)),
    (State.HEARING, Input.ASKED): (State.OVERLAP, (Action.BEGIN,)),
    (State.HEARING, Input.FORGET): (State.LISTENING, (Action.DROP,)),
    (State.THINKING, Input.SPEECH): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.THINKING, Input.TYPED): (State.THINKING, (Action.CANCEL, Action.COMMIT, Action.BEGIN)),
    (State.THINKING, Input.ASKED): (State.THINKING, (Action.CANCEL, Action.BEGIN)),
    (State.THINKING, Input.SOUNDING): (State.SPEAKING, ()),
    (State.THINKING, Input.ANSWER_OVER): (State.LISTENING, ()),
    (State.THINKING, Input.STOP): (State.LISTENING, (Action.CANCEL,)),
    (State.SPEAKING, Input.SPEECH): (State.HEARING, (Action.INTERRUPT, Action.OPEN)),
    (State.SPEAKING, Input.TYPED): (State.THINKING, (Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.SPEAKING, Input.ASKED): (State.THINKING, (Action.BEGIN,)),
    (State.SPEAKING, Input.ANSWER_OVER): (State.LISTENING, ()),
    (State.SPEAKING, Input.STOP): (State.LISTENING, (Action.INTERRUPT,)),
    (State.OVERLAP, Input.SPEECH_OVER): (State.SPEAKING, (Action.COMMIT,)),
    (State.OVERLAP, Input.TYPED): (State.THINKING, (Action.DROP, Action.INTERRUPT, Action.COMMIT, Action.BEGIN)),
    (State.OVERLAP, Input.ASKED): (State.OVERLAP, (Action.BEGIN,)),
    (State.OVERLAP, Input.ANSWER_OVER): (State.HEARING, ()),
    (State.OVERLAP, Input.STOP): (State.HEARING, (Action.INTERRUPT,)),
    (State.OVERLAP, Input.FORGET): (State.SPEAKING, (Action.DROP,)),
}

UNANSWERED: Table = {  # where the user's turn is not to be answered by itself
    (State.HEARING, Input.SPEECH_OVER): (State.LISTENING, (Action.COMMIT,)),
}

UNINTERRUPTED: Table = {  # where speech does not stop an answer
    (State.THINKING, Input.SPEECH): (State.OVERLAP, (Action.OPEN,)),
    (State.SPEAKING, Input.SPEECH): (State.OVERLAP, (Action.OPEN,)),
}


def take(state: State, happened: Input, policy: Policy | None = None) -> tuple[State, tuple[Action, ...]]:
    """The next state, and what to do on the way, in order. What does not matter in a state changes nothing."""
    policy = policy or Policy()
    rules = TABLE
    if not policy.answers:
        rules = rules | UNANSWERED
    if not policy.interrupts:
        rules = rules | UNINTERRUPTED
    return rules.get((state, happened), (state, ()))
