"""A folder like Kokoro's with a network of a few nodes, which takes and gives the same: the real one is not everywhere.

A symbol sounds for as many frames as a table says, a space and the silence around a text do not sound at all.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SYMBOLS = " ;:,.!?—…abcdefhijklmnopqrstuvwxyzAIOQSTWYæðŋɑɔəɛɜɡɪɹɾʃʊʌʒʤʧˈˌːθᵊᵻɒi"
STYLES = ("jf_alpha", "jm_kumo")
FRAME = 600  # samples


def write(folder: Path) -> Path:
    """The same folder, with the network, its symbols and two styles in it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {symbol: number for number, symbol in enumerate(dict.fromkeys(SYMBOLS), 1)}
    (folder / "vocab.json").write_text(json.dumps({"vocab": vocab}))
    random = np.random.default_rng(0)
    styles = {name: random.uniform(0.5, 1.0, (510, 1, 256)).astype(np.float32) for name in STYLES}
    np.savez(folder / "voices_ja.npz", **styles)
    silent = [0, *(number for symbol, number in vocab.items() if not symbol.isalpha())]
    save(network(len(vocab) + 1, silent), folder / "kokoro.onnx")
    return folder


def network(symbols: int, silent: list[int]):
    """tokens [1, n], style [1, 256], speed [1] -> audio [samples]."""
    random = np.random.default_rng(1)
    loudness = random.uniform(0.2, 0.6, symbols).astype(np.float32)
    loudness[silent] = 0
    values = {
        "frames": random.uniform(2, 5, symbols).astype(np.float32), "loudness": loudness,
        "one": np.float32(1), "zero": np.int64(0), "step": np.int64(1), "axis": np.array([1]), "first": np.array([0]),
        "last": np.int64(1), "as_row": np.array([1, 1, -1]), "flat": np.array([-1]),
        "wave": np.sin(np.arange(FRAME) / 10).astype(np.float32)[None, None],
        **{f"kernel{number}": np.array([[[0, 1, 0]]], np.float32) for number in range(4)},
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Gather", ["frames", "tokens"], ["usual"]),
        node("Div", ["usual", "speed"], ["exact"]),
        node("Round", ["exact"], ["rounded"]),
        node("Clip", ["rounded", "one"], ["durations"]),
        node("Cast", ["durations"], ["whole"], to=TensorProto.INT64),
        node("CumSum", ["whole", "last"], ["reached"]),
        node("ReduceMax", ["reached"], ["count"], keepdims=0),
        node("Range", ["zero", "count", "step"], ["at"]),
        node("Unsqueeze", ["at", "axis"], ["column"]),
        node("LessOrEqual", ["reached", "column"], ["passed"]),
        node("Cast", ["passed"], ["ones"], to=TensorProto.INT64),
        node("ReduceSum", ["ones", "axis"], ["which"], keepdims=0),
        node("Squeeze", ["tokens", "first"], ["row"]),
        node("Gather", ["row", "which"], ["symbol"]),
        node("Gather", ["loudness", "symbol"], ["envelope"]),
        node("Reshape", ["envelope", "as_row"], ["begun0"]),
        *(node("Conv", [f"begun{n}", f"kernel{n}"], [f"begun{n + 1}"], pads=[1, 1]) for n in range(4)),
        node("ConvTranspose", ["begun4", "wave"], ["sound"], strides=[FRAME]),
        node("ReduceMean", ["style"], ["mean"], keepdims=0),
        node("Mul", ["sound", "mean"], ["styled"]),
        node("Reshape", ["styled", "flat"], ["audio"]),
    ]
    inputs = (("tokens", TensorProto.INT64, [1, None]), ("style", TensorProto.FLOAT, [1, 256]),
              ("speed", TensorProto.FLOAT, [1]))  # fmt: skip
    graph = helper.make_graph(
        nodes, "little", [helper.make_tensor_value_info(*given) for given in inputs],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
