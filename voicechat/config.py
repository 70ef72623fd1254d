"""Everything that can be set, in one place."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from streaming.endpoint import EndpointTimes
from voicechat.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Config:
    """How a conversation is held."""

    model: str = "auto"  # auto, mini, echo, a directory, or the hub id of a model on this disk
    device: Literal["auto", "cpu", "cuda"] = "auto"
    voice: str = "auto"  # the natural one where it has been fetched, or a name as `voicechat.voices` takes it
    instructions: str = ""  # the system prompt; "" leaves the model's own
    think: bool = False  # reason in text before answering, where the model can
    greedy: bool = False  # the likeliest word always, instead of the checkpoint's sampling
    seed: int | None = None  # makes sampling repeatable
    smart_turn: bool = False  # Smart Turn is asked too whether the speaker has finished
    times: EndpointTimes = field(default_factory=EndpointTimes)

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ConfigError(f"no device {self.device!r}: use one of {', '.join(DEVICES)}")

    @classmethod
    def of(cls, **options: Any) -> Config:
        """A Config from names and values; a name that does not exist is an error that tells the nearest."""
        known = [f.name for f in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                near = get_close_matches(name, known, 1, 0)
                raise ConfigError(f"no option {name!r}: did you mean {near[0]!r}? There are {', '.join(known)}")
        return cls(**options)
