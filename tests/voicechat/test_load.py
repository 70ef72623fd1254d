"""A model directory is looked at file by file before anything heavy is loaded."""

import json
import shutil

import pytest

from tests.tiny import save_tiny
from voicechat.errors import ModelError
from voicechat.flamingo import load as loading
from voicechat.flamingo.load import FILES, MINI, check, choose_device, find, load


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("good"))


@pytest.fixture
def folder(good, tmp_path):
    return shutil.copytree(good, tmp_path / "model")


@pytest.mark.parametrize("name", [*FILES, "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        check(folder)


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith(".json")])
def test_a_damaged_file_is_named(folder, name):
    (folder / name).write_text('{"half": ')
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        load(folder, "cpu")


@pytest.mark.parametrize("keep", [0, 5, 1_000])
def test_damaged_weights_are_one_line(folder, keep):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load(folder, "cpu")
    assert "\n" not in str(caught.value)


def test_weights_that_lack_a_tensor_are_refused(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors[next(name for name in tensors if name.endswith("lm_head.weight"))]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lm_head\.weight is missing"):
        load(folder, "cpu")


def test_a_missing_shard_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        check(folder)


def test_another_kind_of_model_is_refused(folder):
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "qwen2_audio"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="holds a 'qwen2_audio' model"):
        check(folder)


def test_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "_in_cache", lambda hub_id: None)
    monkeypatch.setattr(loading, "choose_device", lambda wanted: wanted)
    assert find("mini", "cpu") == (MINI, "") == find("auto", "cpu")
    assert find(str(tmp_path), "cpu") == (tmp_path, "")
    folder, notice = find("auto", "cuda")
    assert folder == MINI and "hf download nvidia/audio-flamingo-3-hf" in notice and "non-commercial" in notice
    for name in ("somebody/something", "no-such-folder", "./neither"):
        with pytest.raises(ModelError, match="no model at"):
            find(name, "cpu")
    monkeypatch.setattr(loading, "_in_cache", lambda hub_id: tmp_path)
    assert find("auto", "cuda") == (tmp_path, "") == find("somebody/something", "cpu")


def test_a_gpu_that_is_not_there():
    import torch

    if torch.cuda.is_available():
        assert choose_device("auto") == "cuda"
    else:
        assert choose_device("auto") == "cpu"
        with pytest.raises(ModelError, match="--device cpu"):
            choose_device("cuda")
