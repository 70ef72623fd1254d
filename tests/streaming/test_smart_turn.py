"""Smart Turn as its own package runs it. What needs its model is skipped where neither this environment has it nor
the one of pipecat's client."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from streaming.audio import RATE, AudioError
from streaming.smart_turn import FILE, INSTALL, WINDOW, SmartTurn, features, smart_turn
from tests.speech import VOICES, in_silence, say

ROOT = Path(__file__).parents[2]
PIPECAT = ROOT / ".venv" / "clients" / "pipecat"
THEIRS = """
import sys
import numpy as np
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

analyzer = LocalSmartTurnAnalyzerV3(sample_rate=16_000)
analyzer.set_sample_rate(16_000)
clips = np.load(sys.argv[1])
print(*[analyzer._predict_endpoint(clips[name])["probability"] for name in clips.files])
"""


@pytest.fixture(scope="module")
def judge() -> SmartTurn:
    if (found := smart_turn()) is not None:
        return found
    model = next(PIPECAT.glob(f"lib/python*/site-packages/pipecat/{FILE}"), None)
    if model is None:
        pytest.skip(f"Smart Turn is not installed: {INSTALL}, or make .venv/clients/pipecat/made")
    return SmartTurn(model)


def noise(seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.001, 0.5, 2.0, 8.0, 9.5])
@pytest.mark.parametrize("level", [1e-4, 0.1])
def test_the_features_are_whispers(seconds: float, level: float) -> None:
    samples = noise(seconds, level)
    padded = np.pad(samples, (WINDOW, 0))[-WINDOW:]
    wanted = WhisperFeatureExtractor(chunk_length=8)(
        padded, sampling_rate=RATE, max_length=WINDOW, do_normalize=True, return_tensors="np"
    )
    found = features(samples)
    assert found.shape == (80, 800) and found.dtype == np.float32
    assert np.allclose(found, wanted.input_features[0], atol=1e-4)


def test_silence_has_features_too() -> None:
    assert np.isfinite(features(np.zeros(RATE, np.float32))).all()


def test_the_last_eight_seconds_count(judge: SmartTurn) -> None:
    speech = in_silence(say(), lead_s=0.5, tail_s=0.2).samples
    long = np.concatenate((noise(10), speech))
    assert judge.probability(long) == judge.probability(long[-WINDOW:])
    before = [noise(10, level) for level in (1e-4, 0.01, 0.1, 1.0)]  # its numbers are coarse: two may give the same
    assert len({judge.probability(np.concatenate((sound, speech))) for sound in before}) > 1


def test_any_thread_may_ask(judge: SmartTurn) -> None:
    clips = [in_silence(say(voice=voice)).samples for voice in VOICES]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(judge.probability, clips))
    assert found == [judge.probability(clip) for clip in clips]
    assert all(0 <= p <= 1 for p in found) and len(set(found)) == len(clips)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((RATE, 2), np.float32)])
def test_what_is_no_turn_is_refused(judge: SmartTurn, samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="give mono samples at 16 kHz"):
        judge.probability(samples)


@pytest.mark.slow
def test_it_judges_as_pipecats_own_analyzer_does(judge: SmartTurn, tmp_path: Path) -> None:
    if not (PIPECAT / "made").exists():
        pytest.skip("pipecat has no environment here: make .venv/clients/pipecat/made")
    clips = {f"{voice} whole": in_silence(say(voice=voice), tail_s=0.2).samples for voice in VOICES}
    clips |= {f"{voice} cut": clips[f"{voice} whole"][: round(1.5 * RATE)] for voice in VOICES}
    clips |= {"long": np.concatenate((noise(10), clips["slt whole"])), "quiet": noise(1.0, 1e-4)}
    np.savez(tmp_path / "clips.npz", **clips)
    ran = subprocess.run(
        [PIPECAT / "bin" / "python", "-c", THEIRS, tmp_path / "clips.npz"],
        capture_output=True, text=True, env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    theirs = [float(p) for p in ran.stdout.split()]
    assert np.allclose([judge.probability(clip) for clip in clips.values()], theirs, atol=1e-6)
    assert max(theirs) - min(theirs) > 0.5  # the clips are not all alike to it


def test_where_it_is_not_installed_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipecat", None)
    assert smart_turn.__wrapped__() is None


def test_a_package_without_the_model_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipecat").mkdir()
    (tmp_path / "pipecat" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match=r"turns are judged without it: pip install --no-deps pipecat-ai=="):
        smart_turn.__wrapped__()


def test_its_package_is_not_imported(judge: SmartTurn) -> None:
    site = next(PIPECAT.glob("lib/python*/site-packages"), Path(sysconfig.get_path("purelib")))
    code = (
        "import sys, numpy as np; from streaming.smart_turn import smart_turn; "
        "assert smart_turn().probability(np.ones(9, np.float32)) >= 0; assert 'pipecat' not in sys.modules"
    )
    path = os.pathsep.join(map(str, (ROOT, sysconfig.get_path("purelib"), site)))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
