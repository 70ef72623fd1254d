"""How the voices' networks are run: by onnxruntime, on one core each, without a word."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is imported

import onnxruntime
from onnx import ModelProto


def session(model: ModelProto, arena: bool = True) -> onnxruntime.InferenceSession:
    """What runs the network; `arena`: it keeps the most memory that it ever took. Raises what onnxruntime does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = arena
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
