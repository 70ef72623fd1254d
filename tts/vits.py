"""A Piper voice's network (VITS), run so that it sounds long before it has spoken to the end.

The ONNX file is one graph: symbols -> durations and latent frames -> flow -> decoder. The last two are convolutions,
which see no further than some frames. So the graph is cut: the first part is run once, and the others for a stretch of
frames at a time, with what they see around it. The sound is that of the whole.
VITS: Kim, Kong, Son 2021, https://arxiv.org/abs/2106.06103.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx.utils import Extractor
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from tts.inference import session
from tts.steps import Steps

Floats = npt.NDArray[np.float32]
FIRST = 20  # frames in the first stretch of sound
STRETCH = 32  # in the later ones, so that no run takes longer than 50 ms of a slow core
FLOW_STRETCH = 112  # the flow is light, and sees far
EACH = 16  # convolutions in a step of the first part
EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the graph that is all convolutions: [1, channels, columns] -> [1, channels, columns]."""

    session: onnxruntime.InferenceSession
    sees: int  # frames to each side
    columns: int  # of its output, for each frame
    stretch: int  # frames that it is run for at a time, at least


@dataclass(frozen=True, slots=True)
class Latent:
    """A text before it sounds: `durations` [symbols] in frames, `columns` [1, channels, frames]."""

    durations: npt.NDArray[np.int64]
    columns: Floats


class Vits:
    """The network of one Piper voice, safe to use from many threads; each run takes one core.

    Raises OSError or ValueError: the file cannot be read, or holds something else.
    """

    def __init__(self, file: Path) -> None:
        try:
            graph = onnx.load(file)
            cuts = Cuts.of(graph.graph)
            extract = Extractor(graph).extract_model
            inputs = [given.name for given in graph.graph.input]
            latent = [cuts.latent, cuts.durations]
            self._text = Steps(extract(inputs, latent), latent, EACH)
            self._speakers = "sid" in inputs
            self._parts: list[Part] = []
            columns = 1
            for begins, ends, stretch in (
                ([cuts.latent, cuts.mask], cuts.flown, FLOW_STRETCH),
                ([cuts.flown], cuts.half, STRETCH),
                ([cuts.half], graph.graph.output[0].name, STRETCH),
            ):
                part = extract(begins, [ends])
                sees, wider = _extent(part.graph, begins[0])
                sees, columns = math.ceil(sees / columns), columns * wider
                self._parts.append(Part(session(part), sees, columns, stretch))
        except (DecodeError, StopIteration, LookupError, Fail) as error:
            raise ValueError(f"{file.name} is not the network of a Piper voice") from error
        self.frame = columns
        """Samples of a frame."""
        self.gain: float | None = None
        """What makes it as loud as other voices, as soon as somebody has measured it."""

    def latent(self, symbols: list[int], noise: float, slower: float, duration_noise: float) -> Iterator[Latent | None]:
        """What these symbols will sound like; None after each step before. `slower` is a factor on every duration."""
        given: dict[str, Any] = {
            "input": np.array([symbols], np.int64),
            "input_lengths": np.array([len(symbols)], np.int64),
            "scales": np.array([noise, slower, duration_noise], np.float32),
        }
        if self._speakers:
            given["sid"] = np.zeros(1, np.int64)
        for made in self._text.run(given):
            yield Latent(made[1].ravel().astype(np.int64), made[0]) if made else None

    def sound(self, latent: Latent) -> Iterator[Floats]:
        """The samples, stretch by stretch; an empty one after each run that brings none yet."""
        stage: Stretches | Whole = Whole(latent.columns)
        for part in self._parts:
            stage = Stretches(stage, part)
        told = 0
        while told < stage.frames:
            until = min(stage.frames, told + (STRETCH if told else FIRST))
            yield from (EMPTY for _ in stage.make(until))
            yield stage.seen(told, until).ravel()
            told = until


@dataclass(frozen=True, slots=True)
class Whole:
    """What is there from the beginning: one column for each frame."""

    columns: Floats

    @property
    def frames(self) -> int:
        return int(self.columns.shape[2])

    def make(self, until: int) -> Iterator[None]:
        return iter(())

    def seen(self, begin: int, end: int) -> Floats:
        return self.columns[:, :, max(0, begin) : end]


@dataclass(slots=True)
class Stretches:
    """What a part makes of what another has made, as far as it has been asked for."""

    source: Stretches | Whole
    part: Part
    done: int = 0  # frames
    columns: list[Floats] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return self.source.frames

    def make(self, until: int) -> Iterator[None]:
        """Make the frames before `until`; a step for each run of any part."""
        until = min(until, self.frames)
        while self.done < until:
            # the first stretch is no longer than it must be
            end = min(self.frames, max(until, self.done + self.part.stretch) if self.done else until)
            sees = self.part.sees
            yield from self.source.make(end + sees)
            given = self.source.seen(self.done - sees, min(self.frames, end + sees))
            names = [name.name for name in self.part.session.get_inputs()]
            masks = {name: np.ones((1, 1, given.shape[2]), np.float32) for name in names[1:]}
            made = self.part.session.run(None, {names[0]: given, **masks})[0]
            made = made.reshape(1, -1, made.shape[-1]) if made.ndim == 3 else made.reshape(1, 1, -1)
            first = min(self.done, sees) * self.part.columns
            self.columns.append(made[:, :, first : first + (end - self.done) * self.part.columns])
            self.done = end
            yield

    def seen(self, begin: int, end: int) -> Floats:
        """The columns of these frames, which have been made."""
        if len(self.columns) > 1:
            self.columns = [np.concatenate(self.columns, axis=2)]
        return self.columns[0][:, :, max(0, begin) * self.part.columns : end * self.part.columns]


@dataclass(frozen=True, slots=True)
class Cuts:
    """The names of the tensors at which a Piper voice's graph is cut."""

    durations: str
    latent: str
    mask: str
    flown: str  # what the flow makes of the latent
    half: str  # in the decoder, behind the first of its upsamplings: what comes after it takes long but sees little

    @classmethod
    def of(cls, graph: Any) -> Cuts:
        """Raises StopIteration where the graph is of another kind."""
        makers = {name: node for node in graph.node for name in node.output}
        durations = next(node for node in graph.node if node.op_type == "Ceil").output[0]
        flown = next(node for node in graph.node if node.name.startswith("/dec/") and node.op_type == "Conv").input[0]
        ups = [node for node in graph.node if node.name.startswith("/dec/") and node.op_type == "ConvTranspose"]
        mask = makers[flown].input[1]
        # the latent is the mean and some noise: the one that is like nothing in the predictor of durations
        noise = next(n for n in graph.node if n.op_type == "RandomNormalLike" and not n.name.startswith("/dp/"))
        while noise.op_type != "Add":
            noise = next(node for node in graph.node if noise.output[0] in node.input)
        return cls(durations, noise.output[0], mask, flown, ups[1].input[0])


def _extent(graph: Any, begins: str) -> tuple[float, int]:
    """How far a graph of convolutions sees to each side, in columns of its input, and how many it makes of each."""
    sees, wide = {begins: 0.0}, {begins: 1}
    for node in graph.node:
        known = [name for name in node.input if name in sees]
        if not known:
            continue
        far, wider = max(sees[name] for name in known), max(wide[name] for name in known)
        shape = {attribute.name: attribute.ints for attribute in node.attribute}
        if node.op_type == "Conv":
            far += (shape["kernel_shape"][0] - 1) / 2 * (shape.get("dilations") or [1])[0] / wider
        elif node.op_type == "ConvTranspose":
            far += shape["kernel_shape"][0] / 2 / shape["strides"][0] / wider
            wider *= shape["strides"][0]
        sees |= dict.fromkeys(node.output, far)
        wide |= dict.fromkeys(node.output, wider)
    end = graph.output[0].name
    return sees[end], wide[end]
