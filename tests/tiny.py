"""A tiny random Audio Flamingo 3, in the shape and the directory layout of the real one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3EncoderConfig,
    AudioFlamingo3ForConditionalGeneration,
    Qwen2Config,
)


@cache
def tiny_model(vocabulary: int = 400, audio_token_id: int = 3) -> AudioFlamingo3ForConditionalGeneration:
    torch.manual_seed(0)
    config = AudioFlamingo3Config(
        audio_config=AudioFlamingo3EncoderConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
        ),
        text_config=Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=8192,
            initializer_range=0.3,  # large enough that random weights have opinions
        ),
        audio_token_id=audio_token_id,
    )
    return AudioFlamingo3ForConditionalGeneration(config).eval()


def save_tiny(folder: Path) -> Path:
    """A loadable model directory with random weights and `mini`'s tokenizer and template."""
    from training.shape import build_processor

    processor = build_processor()
    model = tiny_model(len(processor.tokenizer), processor.audio_token_id)
    model.generation_config.eos_token_id = [processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id]
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
