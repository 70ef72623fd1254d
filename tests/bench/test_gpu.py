"""The GPU's measurement, run on a tiny model on the CPU: its figures mean nothing, its form is the real one's."""

import json

import pytest
import torch

from bench import gpu
from bench.fullsize import SMALL


def test_says_in_one_line_that_it_needs_a_gpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and "CUDA" in out and not err


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert gpu.main(["--small", "--output", str(folder)]) == 0
    (path,) = folder.glob("gpu-small-*.json")
    return json.loads(path.read_text())


def test_every_section_is_there_and_none_failed(result):
    sections = ("rates", "floors", "agreement", "replay", "decode", "first_token", "encoder", "prefill")
    for section in (*sections, "generate_static"):
        assert '"error"' not in json.dumps(result[section]), section


def test_figures_come_with_n(result):
    for context in map(str, SMALL.contexts):
        for way, cell in result["decode"][context].items():
            assert isinstance(cell["median"], float) and cell["n"] >= 1, way
    assert set(result["encoder"]) == set(result["first_token"]) == set(map(str, SMALL.seconds))


def test_all_ways_to_decode_and_to_encode_agree(result):
    assert max(result["agreement"].values()) < 1e-4
    assert max(cells["distance"] for cells in result["encoder"].values()) < 1e-4


def test_one_failure_is_written_down_and_the_rest_goes_on(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("out of memory\nand a long trace")

    for section in ("agreement", "replay", "decode", "first_token", "encoder", "generate_static"):
        monkeypatch.setattr(gpu, section, broken)
    assert gpu.main(["--small", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["decode"] == {"error": "RuntimeError: out of memory"}
    assert result["prefill"] and "error" not in result["prefill"]
    assert "RuntimeError: out of memory" in capsys.readouterr().out
