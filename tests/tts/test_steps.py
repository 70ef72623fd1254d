"""A network in steps: what the whole gives, and nothing between."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests import little_kokoro
from tts.steps import Steps


def given(symbols: int = 5) -> dict[str, np.ndarray]:
    tokens = np.array([[0, *range(10, 10 + symbols), 0]])
    return {"tokens": tokens, "style": np.full((1, 256), 0.5, np.float32), "speed": np.ones(1, np.float32)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return little_kokoro.write(tmp_path_factory.mktemp("little")) / "kokoro.onnx"


@pytest.mark.parametrize(("each", "steps"), [(1, 5), (2, 3), (3, 2), (100, 1)])
def test_together_they_give_what_the_whole_gives(file, each, steps):
    network = Steps(onnx.load(file), ["audio", "durations"], each)
    whole = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for symbols in (1, 5, 30):
        *before, (audio, durations) = network.run(given(symbols))
        assert before == [()] * (steps - 1)
        assert np.array_equal(audio, whole.run(None, given(symbols))[0]) and np.abs(audio).max() > 0.01
        assert durations.shape == (1, symbols + 2) and durations.sum() * little_kokoro.FRAME == len(audio)


def test_two_runs_at_a_time_do_not_meet(file):
    network = Steps(onnx.load(file), ["audio"], 1)
    alone = [list(network.run(given(symbols)))[-1][0] for symbols in (3, 9)]
    both = list(zip(network.run(given(3)), network.run(given(9)), strict=True))[-1]
    assert all(np.array_equal(one, other[0]) for one, other in zip(alone, both, strict=True))


def test_kokoro_in_steps_is_the_whole(kokoro):
    model = onnx.load(kokoro / "kokoro.onnx")
    network = Steps(model, [model.graph.output[0].name], 2)
    whole = onnxruntime.InferenceSession(kokoro / "kokoro.onnx", providers=["CPUExecutionProvider"])
    style = np.load(kokoro / "voices_ja.npz")["jf_alpha"][9]
    *before, (audio,) = network.run(given(10) | {"style": style})
    expected = whole.run(None, given(10) | {"style": style})[0]
    assert len(before) > 40
    assert audio.shape == expected.shape and np.abs(audio - expected).max() < 0.01 < np.abs(expected).max()


def test_a_tensor_that_it_lacks(file):
    with pytest.raises(LookupError, match="no latent"):
        Steps(onnx.load(file), ["latent"], 2)


def test_a_network_without_a_convolution_is_one_step():
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    network = Steps(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]), ["y"], 1)
    assert [made[0].tolist() for made in network.run({"x": np.ones(1, np.float32)})] == [[-1.0]]
