"""The network of a Piper voice, a stretch at a time."""

import numpy as np
import onnxruntime
import pytest

from tts.vits import Vits

SYMBOLS = [1, 0, *(value for n in range(60) for value in (14 + n % 40, 0)), 2]


@pytest.fixture(scope="module")
def network(joe):
    return Vits(next(joe.glob("*.onnx")))


def made(network: Vits, symbols: list[int] = SYMBOLS, noise: float = 0.667, slower: float = 1.0) -> tuple:
    *_, latent = network.latent(symbols, noise, slower, 0.0)
    return latent, list(network.sound(latent))


def test_the_durations_are_those_of_the_sound(network):
    latent, pieces = made(network)
    assert len(latent.durations) == len(SYMBOLS) and latent.durations.min() >= 1
    assert sum(map(len, pieces)) == latent.durations.sum() * network.frame


@pytest.mark.parametrize("count", [1, 5, 20, 60])
def test_a_stretch_at_a_time_is_the_whole(network, joe, count):
    """Without noise the file, run whole by onnxruntime, gives the same sound."""
    symbols = [*SYMBOLS[: 2 + 2 * count], 2]
    _, pieces = made(network, symbols, noise=0.0)
    session = onnxruntime.InferenceSession(next(joe.glob("*.onnx")), providers=["CPUExecutionProvider"])
    scales = np.array([0.0, 1.0, 0.0], np.float32)
    given = {"input": np.array([symbols]), "input_lengths": np.array([len(symbols)]), "scales": scales}
    whole = session.run(None, given)[0].ravel()
    sound = np.concatenate(pieces)
    assert len(sound) == len(whole) and np.abs(sound - whole).max() < 1e-3
    assert np.abs(whole).max() > 0.05


def test_it_sounds_long_before_the_end(network):
    _, pieces = made(network)
    first = next(piece for piece in pieces if len(piece))
    assert len(first) < 0.1 * sum(map(len, pieces))
    assert max(map(len, pieces)) <= 40 * network.frame


def test_slower(network):
    usual, slow = (made(network, slower=slower)[0].durations.sum() for slower in (1.0, 2.0))
    assert 1.7 < slow / usual < 2.3


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x07" * 100])
def test_a_file_that_is_no_network(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.onnx is not the network of a Piper voice"):
        Vits(tmp_path / "a.onnx")


def test_another_network(tmp_path):
    from onnx import TensorProto, helper, save

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])  # fmt: skip
    save(helper.make_model(graph), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match="is not the network of a Piper voice"):
        Vits(tmp_path / "a.onnx")
