"""Has the speaker finished, by the sound of it? Smart Turn v3.2 judges the melody of the last eight seconds.

Smart Turn (https://github.com/pipecat-ai/smart-turn) is a Whisper-tiny encoder with a head that was
trained on human turns, in 23 languages. Its weights are part of the package `pipecat-ai` (BSD-2-Clause,
copyright Daily), which needs other versions of soxr and soundfile than this program and is therefore not
one of its extras: it is installed without what it needs, and never imported. Only its ONNX file is read.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from transformers import WhisperFeatureExtractor

# What is said here stays here: onnxruntime would otherwise report its use, and keep a device id on the disk.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from streaming.audio import RATE, AudioError
from streaming.mel import FLOOR, FRAME, HOP

WINDOW = 8 * RATE  # samples it hears
BANDS = 80
TINY = 1e-7  # added to the variance, as `WhisperFeatureExtractor` does
FILE = Path("audio", "turn", "smart_turn", "data", "smart-turn-v3.2-cpu.onnx")
INSTALL = "pip install --no-deps pipecat-ai==1.14.0"


class SmartTurn:
    """The probability that a turn is complete. It keeps nothing between calls, and any thread may call."""

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._network = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def probability(self, samples: np.ndarray) -> float:
        """float32 [n] at 16 kHz, the turn so far with the silence behind it -> 0..1; the last 8 s count.

        Raises AudioError for any other shape, and for no sound at all.
        """
        if samples.ndim != 1 or not len(samples):
            raise AudioError(
                f"sound of shape {list(samples.shape)} is no turn: give mono samples at 16 kHz, one after another"
            )
        (found,) = self._network.run(None, {"input_features": features(samples)[None]})
        return float(found.item())


def features(samples: np.ndarray) -> np.ndarray:
    """float32 [n] at 16 kHz -> float32 [80, 800]: what the network was trained on.

    The last 8 s, silence in front where there is less, at zero mean and unit variance, as the log-mel of
    `WhisperFeatureExtractor(chunk_length=8)`. In float64, as pipecat computes it: the network has 8-bit
    weights, and features that are 1e-5 off can move its probability by 0.1.
    """
    heard = np.pad(samples[-WINDOW:].astype(np.float32), (max(0, WINDOW - len(samples)), 0))
    heard = (heard - heard.mean()) / np.sqrt(heard.var() + TINY)
    mirrored = np.pad(heard.astype(np.float64), FRAME // 2, mode="reflect")
    spectra = np.fft.rfft(sliding_window_view(mirrored, FRAME)[::HOP][:-1] * np.hanning(FRAME + 1)[:-1])
    mel = np.log10(np.maximum(_mel_filters().T @ np.abs(spectra.T) ** 2, 10.0**FLOOR))
    scaled: np.ndarray = ((np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return scaled


@cache
def _mel_filters() -> np.ndarray:
    """float64 [201, 80]: the weight of each FFT bin in each mel band."""
    filters: np.ndarray = WhisperFeatureExtractor(feature_size=BANDS).mel_filters
    return filters


@cache
def smart_turn() -> SmartTurn | None:
    """The judge, one for all conversations; None where it is not installed: `INSTALL` says how it can be.

    Raises AudioError where its package is installed in another version, without the model.
    """
    package = find_spec("pipecat")
    if package is None or package.origin is None:
        return None
    model = Path(package.origin).parent / FILE
    if not model.is_file():
        raise AudioError(f"Smart Turn cannot judge, {model} is missing; turns are judged without it: {INSTALL}")
    return SmartTurn(model)
