"""A network that is run in steps, so that between two of them it can be left, or somebody else served.

The nodes of an ONNX file stand in an order in which they can be run. So they are cut into stretches, each a network of
its own that takes what those before it have made. Together they give what the whole gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import ModelProto, TensorProto, helper

from tts.inference import session

Tensor = npt.NDArray[Any]
CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "ConvTranspose"})  # what takes long in a network that makes sound
TYPES = {
    "tensor(float)": TensorProto.FLOAT, "tensor(int64)": TensorProto.INT64, "tensor(int32)": TensorProto.INT32,
    "tensor(bool)": TensorProto.BOOL, "tensor(uint8)": TensorProto.UINT8, "tensor(int8)": TensorProto.INT8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    session: onnxruntime.InferenceSession
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    last_use: tuple[str, ...]  # of what no later step takes


class Steps:
    """The network of `model`, cut before every `each`-th convolution; safe to use from many threads.

    `wanted` are the tensors that a run gives. Raises LookupError where there is no such tensor, and what onnxruntime
    raises for a network that it cannot run.
    """

    def __init__(self, model: ModelProto, wanted: Sequence[str], each: int) -> None:
        nodes = model.graph.node
        heavy = [at for at, node in enumerate(nodes) if node.op_type in CONVOLUTIONS]
        bounds = [0, *heavy[each::each], len(nodes)]
        values = {value.name: value for value in model.graph.initializer}
        kinds: dict[str, Any] = {given.name: given.type for given in model.graph.input}
        until = {name: at for at, node in enumerate(nodes) for name in node.input}
        until |= dict.fromkeys(wanted, len(nodes))
        if missing := [name for name in wanted if not any(name in node.output for node in nodes)]:
            raise LookupError(f"no {missing[0]}")
        self._wanted = tuple(wanted)
        self._steps: list[Step] = []
        for begin, end in pairwise(bounds):
            part = nodes[begin:end]
            used = dict.fromkeys(name for node in part for name in node.input if name)
            takes = [name for name in used if name in kinds]
            gives = [name for node in part for name in node.output if name and until.get(name, -1) >= end]
            graph = helper.make_graph(
                part, f"nodes from {begin}",
                [helper.make_value_info(name, kinds[name]) for name in takes],
                [helper.make_empty_tensor_value_info(name) for name in gives],
                [values[name] for name in used if name in values],
            )  # fmt: skip
            # without an arena: each of these would keep the most that it ever took, 1.6 GB in all
            network = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
            run = session(network, arena=False)
            for output in run.get_outputs():
                kinds[output.name] = helper.make_tensor_type_proto(TYPES[output.type], None)
            last = tuple(name for name in takes if until[name] < end)
            self._steps.append(Step(run, tuple(takes), tuple(gives), last))

    def run(self, given: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """After each step but the last nothing, and then what is wanted."""
        held = dict(given)
        for step in self._steps:
            if step is not self._steps[0]:
                yield ()
            made = step.session.run(step.gives, {name: held[name] for name in step.takes})
            for name in step.last_use:
                del held[name]
            held |= dict(zip(step.gives, made, strict=True))
        yield tuple(np.asarray(held[name]) for name in self._wanted)
