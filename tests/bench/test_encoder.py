"""The rolling encoder's measurement, on a few seconds and a tiny model."""

import json
import shutil

import pytest
import torch

from bench import encoder
from tests.tiny import save_tiny

pytestmark = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)


@pytest.mark.slow
def test_both_ways_agree_and_the_result_is_written(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    threads = torch.get_num_threads()
    folder = save_tiny(tmp_path / "tiny")
    assert encoder.main(["--model", str(folder), "--seconds", "6", "--repeats", "1", "--output", str(tmp_path)]) == 0
    torch.set_num_threads(threads)
    result = json.loads((tmp_path / "encoder-tiny.json").read_text())
    assert result["equal"] and result["largest_difference"] <= 1e-4
    assert len(result["pauses_s"]) == len(result["ours_s"]) == len(result["again_s"]) >= 1
    assert (tmp_path / "encoder-tiny.png").stat().st_size > 5_000
    assert "ratio" in capsys.readouterr().out


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    assert encoder.main(["--model", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
