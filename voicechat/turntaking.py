"""Whose turn it is: a pure table, without audio, clock or tasks.

LISTENING   nobody speaks
HEARING     the user speaks
THINKING    the user has finished, the answer has not begun to sound
SPEAKING    the answer is being played
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    LISTENING = auto()
    HEARING = auto()
    THINKING = auto()
    SPEAKING = auto()


class Input(Enum):
    SPEECH = auto()  # the user's speech is confirmed
    SPEECH_OVER = auto()  # the user's turn is over
    TYPED = auto()  # a typed turn has arrived
    SOUNDING = auto()  # the first sound of the answer has been sent
    ANSWER_OVER = auto()  # the answer has been played to its end, or there is none


class Action(Enum):
    OPEN = auto()  # begin a clip where the speech began
    GO_ON = auto()  # the same clip goes on: the user was not done
    DROP = auto()  # forget the clip
    BEGIN = auto()  # ask the model
    CANCEL = auto()  # stop an answer of which nothing was heard
    INTERRUPT = auto()  # stop an answer, and keep of it what was heard


TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (State.LISTENING, Input.SPEECH): (State.HEARING, (Action.OPEN,)),
    (State.LISTENING, Input.TYPED): (State.THINKING, (Action.BEGIN,)),
    (State.HEARING, Input.SPEECH_OVER): (State.THINKING, (Action.BEGIN,)),
    (State.HEARING, Input.TYPED): (State.THINKING, (Action.DROP, Action.BEGIN)),
    (State.THINKING, Input.SPEECH): (State.HEARING, (Action.CANCEL, Action.GO_ON)),
    (State.THINKING, Input.TYPED): (State.THINKING, (Action.CANCEL, Action.BEGIN)),
    (State.THINKING, Input.SOUNDING): (State.SPEAKING, ()),
    (State.THINKING, Input.ANSWER_OVER): (State.LISTENING, ()),
    (State.SPEAKING, Input.SPEECH): (State.HEARING, (Action.INTERRUPT, Action.OPEN)),
    (State.SPEAKING, Input.TYPED): (State.THINKING, (Action.INTERRUPT, Action.BEGIN)),
    (State.SPEAKING, Input.ANSWER_OVER): (State.LISTENING, ()),
}


def take(state: State, happened: Input) -> tuple[State, tuple[Action, ...]]:
    """The next state, and what to do on the way, in order. What does not matter in a state changes nothing."""
    return TABLE.get((state, happened), (state, ()))
