"""One spoken question in real time, with a model that has no weights."""

import json
import shutil

import pytest

from bench import latency
from bench.memory import peak_mb, resident_mb

pytestmark = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="apt-get install flite espeak-ng"
)


@pytest.mark.slow
def test_a_question_is_asked_and_its_latencies_are_written(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["--model", "echo", "--voice", "tone", "--questions", "1", "--output", str(tmp_path)]
    assert latency.main(arguments) == 0
    result = json.loads((tmp_path / "latency-echo.json").read_text())
    assert result["failed"] == 0 and result["questions"] == len(result["turns"]) == 1
    (turn,) = result["turns"]
    waited = turn["voice_to_voice_ms"]
    assert waited == pytest.approx(turn["speech_end_ms"] + turn["first_audio_ms"], abs=0.2)
    assert turn["client_ms"] == pytest.approx(waited, abs=400 + result["latest_chunk_ms"])
    assert result["latency"]["client_ms"]["n"] == 1
    assert (tmp_path / "latency-echo.png").stat().st_size > 5_000
    assert "p95" in capsys.readouterr().out


def test_memory_is_told_in_megabytes():
    assert peak_mb() > 20
    assert resident_mb() is None or 20 < resident_mb() <= peak_mb() * 1.01
