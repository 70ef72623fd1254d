"""A short soak of a real server; and what its figures are made of."""

import json
import shutil

import pytest

from bench import soak

needs_makers = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)


@needs_makers
@pytest.mark.slow
def test_a_server_is_what_it_was_when_all_have_left(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(soak, "REST_S", 2.0)
    monkeypatch.setattr(soak, "LOOKS", 10)
    arguments = ["--model", "echo", "--conversations", "16", "--at-once", "8", "--output", str(tmp_path)]
    assert soak.main(arguments) == 0, capsys.readouterr()
    result = json.loads((tmp_path / "soak-echo.json").read_text())
    assert result["failed"] == 0 and result["failures"] == []
    assert sum(result["deeds"].values()) >= 16 and len(result["deeds"]) == 6
    assert result["after"]["seats"] == result["after"]["children"] == 0
    assert result["after"]["memory_mb"] > 100
    assert (tmp_path / "soak-echo.png").stat().st_size > 5_000
    assert "at the end" in capsys.readouterr().out


def test_the_slope_is_that_of_what_comes_after_the_warm_up():
    samples = [(n, 500.0 if n < 100 else 600 + 0.002 * n, 0.0) for n in range(0, 1000, 10)]
    assert soak.slope(samples, 1000) == 2.0
    assert soak.slope(samples[:12], 1000) is None  # too little


@pytest.mark.parametrize(
    ("before", "after", "over"),
    [
        ({"threads": 5, "files": 9}, {"threads": 5, "files": 9}, {}),
        ({"threads": 5, "files": 9}, {"threads": 6, "files": 9}, {"threads": [5, 6]}),
        ({"threads": 5, "files": 9}, {"threads": 5, "files": 8}, {}),  # one that was closing when they were counted
    ],
)
def test_more_than_before_is_left_over(before, after, over):
    assert soak.left_over(before, after) == over


def test_nothing_is_found_out_without_a_conversation(capsys):
    with pytest.raises(SystemExit):
        soak.main(["--conversations", "0"])
    assert "give 1 or more" in capsys.readouterr().err
