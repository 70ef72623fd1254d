"""Audio Flamingo 3 at its true size with random weights: as slow as the real one, with nothing to fetch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3EncoderConfig,
    AudioFlamingo3ForConditionalGeneration,
    Qwen2Config,
)

from bench.clock import Clock
from training.shape import build_processor


@dataclass(frozen=True)
class Sizes:
    """What is measured, and how often."""

    contexts: tuple[int, ...] = (128, 1_000, 4_000)  # positions before the decoded token
    seconds: tuple[float, ...] = (2, 10, 30, 65)  # of speech
    room: int = 8_192  # positions of the static cache, as a conversation has it
    tokens: int = 64  # timed decode steps
    repeats: int = 10
    prefills: tuple[int, ...] = (512, 2_048)
    copied: int = 4 * 2**30  # bytes that are moved to take the memory's rate
    square: int = 8_192  # of the matrix product


SMALL = Sizes((16,), (0.5, 31), 1_024, 2, 1, (32,), 2**20, 64)


@dataclass(frozen=True)
class Subject:
    """The model under measurement, with everything that belongs to it."""

    model: Any
    processor: Any
    sizes: Sizes
    clock: Clock

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def tower_weights(self) -> int:
        """Parameters of the audio encoder and its adaptor."""
        return count(self.model.model.audio_tower) + count(self.model.model.multi_modal_projector)

    @property
    def language_weights(self) -> int:
        """Parameters of the language model, embedding table and head included."""
        return count(self.model.model.language_model) + count(self.model.lm_head)

    @property
    def step_weights(self) -> int:
        """Parameters that one decode step reads: all but the embedding table, of which it reads one row."""
        return self.language_weights - count(self.model.get_input_embeddings())

    @property
    def layer_weights(self) -> int:
        """Parameters that every position of a prefill is multiplied by: the head sees the last one only."""
        return self.step_weights - count(self.model.lm_head)

    def cache_bytes(self) -> int:
        """Of keys and values, a position."""
        text = self.model.config.text_config
        head = text.hidden_size // text.num_attention_heads
        return 2 * text.num_hidden_layers * text.num_key_value_heads * head * self.model.dtype.itemsize


def count(module: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def config_of(audio_token_id: int, small: bool) -> AudioFlamingo3Config:
    if small:
        encoder = AudioFlamingo3EncoderConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
        )
        shape = {
            "vocab_size": 1_000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4_096,
        }  # fmt: skip
    else:
        encoder = AudioFlamingo3EncoderConfig()  # its defaults are AF3's own
        shape = {
            "vocab_size": 151_672, "hidden_size": 3_584, "intermediate_size": 18_944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32_768,
        }  # fmt: skip
    theta = {"rope_type": "default", "rope_theta": 1e6}
    text = Qwen2Config(**shape, rope_parameters=theta, tie_word_embeddings=False, bos_token_id=None, eos_token_id=None)
    return AudioFlamingo3Config(audio_config=encoder, text_config=text, audio_token_id=audio_token_id)


def build(device: torch.device, small: bool = False) -> Subject:
    """The weights are drawn on the device itself: bfloat16 on a GPU, float32 for the small one on the CPU."""
    processor = build_processor()  # a small tokenizer: its ids are valid in the large vocabulary
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if small else torch.bfloat16)
    torch.manual_seed(0)
    try:
        with torch.device(device):
            model = AudioFlamingo3ForConditionalGeneration(config_of(processor.audio_token_id, small)).eval()
    finally:
        torch.set_default_dtype(before)
    generation = model.generation_config
    generation.do_sample, generation.eos_token_id = False, None  # every run decodes as many tokens as it is asked for
    generation.pad_token_id = processor.tokenizer.pad_token_id
    return Subject(model, processor, SMALL if small else Sizes(), Clock(device))
