"""The audio encoder, and how long it takes from a sound in hand to the first token."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from bench.decode import distance
from bench.fullsize import Subject
from bench.report import spread
from streaming.encoder import RollingEncoder
from streaming.mel import WINDOW_SAMPLES
from voicechat.conversation import Clip, Message
from voicechat.flamingo.graph import StaticKeyValues
from voicechat.flamingo.prompt import PromptBuilder

RATE = 16_000
CHUNK = 512  # samples that a session hands over at a time


def sound(seconds: float) -> np.ndarray:
    """float32 at 16 kHz: noise, which costs what speech costs."""
    return (np.random.default_rng(0).standard_normal(round(seconds * RATE)) * 0.1).astype(np.float32)


def features_of(extractor: Any, samples: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """([windows, 128, 3000], [windows, 3000]): log-mel and mask of 30-s windows, padded as AF3's processor pads."""
    windows = [samples[at : at + WINDOW_SAMPLES] for at in range(0, len(samples), WINDOW_SAMPLES)]
    made = extractor(windows, sampling_rate=RATE, return_attention_mask=True, return_tensors="pt")
    return made["input_features"], made["attention_mask"]


def transformers_embeddings(model: Any, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[tokens, text width], by `get_audio_features`."""
    with torch.inference_mode():
        found: torch.Tensor = model.get_audio_features(
            features.to(model.device, model.dtype), mask.to(model.device)
        ).pooler_output
    return found


def heard(subject: Subject, samples: np.ndarray) -> RollingEncoder:
    """An encoder that has taken the sound in as it arrived; its open window is not encoded yet."""
    rolling = RollingEncoder(subject.model.model)
    for at in range(0, len(samples), CHUNK):
        rolling.append(samples[at : at + CHUNK])
    return rolling


def encoder(subject: Subject) -> dict[str, Any]:
    """ms by seconds of sound. FLOP of a window: 2 x encoder weights x 1,500 steps; attention is not counted."""
    found = {}
    for seconds in subject.sizes.seconds:
        samples = sound(seconds)
        features, mask = features_of(subject.processor.feature_extractor, samples)
        reference = transformers_embeddings(subject.model, features, mask)

        def whole(samples: np.ndarray = samples) -> torch.Tensor:
            rolling = RollingEncoder(subject.model.model)
            rolling.append(samples)
            return rolling.embeddings()

        waited = partial(subject.clock.waited, n=subject.sizes.repeats)
        found[str(seconds)] = {
            "ours, all at once": spread(waited(whole, warmups=2)),
            "ours, taken in while it was said": spread(
                waited(RollingEncoder.embeddings, prepare=partial(heard, subject, samples))
            ),
            "transformers, encoder": spread(
                waited(partial(transformers_embeddings, subject.model, features, mask), warmups=2)
            ),
            "transformers, extractor": spread(
                subject.clock.waited(partial(features_of, subject.processor.feature_extractor, samples), 3)
            ),
            "distance": float(f"{distance(whole().float(), reference.float()):.3g}"),
        }
    return found


def first_token(subject: Subject) -> dict[str, Any]:
    """ms from the sound in hand to the first token on the host, by seconds of sound."""
    return {str(seconds): _first_token(subject, sound(seconds)) for seconds in subject.sizes.seconds}


def _first_token(subject: Subject, samples: np.ndarray) -> dict[str, Any]:
    builder = PromptBuilder(subject.processor)
    cache = StaticKeyValues(subject.model, subject.sizes.room)
    messages = [Message("user", "", (Clip(samples),))]

    def begin(prepared: bool) -> RollingEncoder:
        cache.roll_back(0)
        rolling = RollingEncoder(subject.model.model)
        if prepared:
            rolling = heard(subject, samples)
            cache.follow(builder.settled(messages, lambda _: rolling))
        return rolling

    def answer(rolling: RollingEncoder) -> int:
        rolling.append(samples[rolling.samples :])
        return int(cache.logits(builder.whole(messages, lambda _: rolling)).argmax())

    def generated() -> torch.Tensor:
        dicts = [{"role": "user", "content": [{"type": "audio", "audio": samples}]}]
        inputs = subject.processor.apply_chat_template(
            dicts, tokenize=True, add_generation_prompt=True, return_dict=True
        )
        with torch.inference_mode():
            tokens: torch.Tensor = subject.model.generate(
                **inputs.to(subject.device, subject.model.dtype), max_new_tokens=1
            )
        return tokens.cpu()

    waited, n = subject.clock.waited, subject.sizes.repeats
    found = {
        "nothing prepared": spread(waited(answer, n, 2, partial(begin, False))),
        "prepared while it was said": spread(waited(answer, n, 1, partial(begin, True))),
        "transformers generate": spread(waited(generated, 3)),
    }
    return found | {"prompt": len(builder.whole(messages, lambda _: heard(subject, samples)).ids)}
