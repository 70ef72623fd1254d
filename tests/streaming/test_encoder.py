"""The rolling encoder must give what transformers gives for the whole clip, however it arrived."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from streaming.encoder import ClipTooLong, RollingEncoder, tokens_of
from streaming.mel import WINDOW_SAMPLES
from tests.tiny import tiny_model

EXTRACTOR = WhisperFeatureExtractor(feature_size=128)


def whole_clip(samples: np.ndarray) -> torch.Tensor:
    """transformers' own path: 30-s windows, padded, through `get_audio_features`."""
    windows = [samples[i : i + WINDOW_SAMPLES] for i in range(0, len(samples), WINDOW_SAMPLES)]
    features = EXTRACTOR(windows, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
    with torch.inference_mode():
        return tiny_model().get_audio_features(features["input_features"], features["attention_mask"]).pooler_output


def sound(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    count = round(seconds * 16_000)
    swell = np.interp(np.arange(count), np.linspace(0, count, 12), rng.uniform(0, 0.3, 12))
    return (rng.standard_normal(count) * swell).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.one_of(st.floats(0.05, 3.0), st.floats(0.05, 75.0), st.sampled_from([29.99, 30.0, 30.01, 60.0])),
    cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_equals_transformers_for_any_chunking(seconds, cuts, seed):
    samples = sound(seconds, seed)
    encoder, at, turn = RollingEncoder(tiny_model().model), 0, 0
    while at < len(samples):
        size = cuts[turn % len(cuts)]
        encoder.append(samples[at : at + size])
        at, turn = at + size, turn + 1
    expected = whole_clip(samples)
    assert encoder.embeddings().shape == expected.shape
    torch.testing.assert_close(encoder.embeddings(), expected, atol=1e-4, rtol=0)


def test_can_be_asked_at_any_pause_and_go_on():
    samples, encoder = sound(33.3, 1), RollingEncoder(tiny_model().model)
    for end in (0, 1_000, 20_000, 20_001, 300_000, 479_999, 480_000, len(samples)):
        encoder.append(samples[encoder.samples : end])
        expected = whole_clip(samples[:end]) if end else torch.zeros(0, 64)
        torch.testing.assert_close(encoder.embeddings(), expected, atol=1e-4, rtol=0)
    assert len(encoder.closed) == 1


def test_a_closed_window_is_encoded_once(monkeypatch):
    calls = []
    monkeypatch.setattr("streaming.encoder.tower_states", lambda t, m, f: calls.append(f[0]) or real(t, m, f))
    encoder = RollingEncoder(tiny_model().model)
    for _ in range(31):
        encoder.append(np.zeros(16_000, np.float32))
    encoder.embeddings(), encoder.embeddings()
    assert calls == [3000, 100]


from streaming.encoder import tower_states as real  # noqa: E402


def test_tokens():
    assert [tokens_of(f) for f in (0, 1, 2, 3, 4, 100, 300, 3000)] == [0, 0, 0, 1, 1, 25, 75, 750]


def test_too_long_a_clip_is_refused_before_anything_is_kept():
    encoder = RollingEncoder(tiny_model().model, max_windows=1)
    with pytest.raises(ClipTooLong, match="30 s"):
        encoder.append(np.zeros(WINDOW_SAMPLES + 1, np.float32))
    assert encoder.samples == 0
