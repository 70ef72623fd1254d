"""`mini`'s shape and its directory: config, tokenizer, processor, as a Hugging Face AF3 checkpoint."""

from __future__ import annotations

import math
import random
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3EncoderConfig,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    WhisperFeatureExtractor,
)

from training.curriculum import NO_QUESTION, a_line
from training.typed import as_typed

SYSTEM = "You are a helpful assistant."
TRANSCRIBE = "Transcribe the input speech."
TEXT = {"sums": 0.32, "digits": 0.32, "visitors": 0.14, "other": 0.22}  # the mixture that the tokenizer is trained on
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<sound>"]
# AF3's template, plus the system prompt that it always has: one `<sound>` a clip, clips first.
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] if c['type'] == 'audio' %}<sound>{% endfor %}"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build_tokenizer(vocabulary: int = 900) -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen2's splitting, trained on the curriculum's own text."""
    rng = random.Random(0)
    text = [SYSTEM, TRANSCRIBE, NO_QUESTION, "system", "user", "assistant"] * 200
    for _ in range(20_000):
        line = a_line(rng, TEXT)
        text += [" " + line.words, line.words, line.answer, as_typed(line, rng)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        text,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=SPECIAL,
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<sound>"],
    )


def build_processor() -> AudioFlamingo3Processor:
    return AudioFlamingo3Processor(WhisperFeatureExtractor(feature_size=128), build_tokenizer(), chat_template=TEMPLATE)


def sinusoids(length: int, width: int) -> torch.Tensor:
    """Whisper's fixed position table."""
    scale = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * scale[None]
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def build_model(tokenizer: PreTrainedTokenizerFast) -> AudioFlamingo3ForConditionalGeneration:
    config = AudioFlamingo3Config(
        audio_config=AudioFlamingo3EncoderConfig(
            hidden_size=192, num_hidden_layers=5, num_attention_heads=3, intermediate_size=768
        ),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=640,
            num_hidden_layers=3,
            num_attention_heads=3,
            num_key_value_heads=1,
            max_position_embeddings=1024,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=False,
        ),
        audio_token_id=tokenizer.convert_tokens_to_ids("<sound>"),
    )
    model = AudioFlamingo3ForConditionalGeneration(config)
    tower = model.model.audio_tower
    tower.embed_positions.weight.data.copy_(sinusoids(1500, config.audio_config.hidden_size))
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=128,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def save(model: AudioFlamingo3ForConditionalGeneration, processor: AudioFlamingo3Processor, folder: Path) -> None:
    """Write the model as a Hugging Face directory, weights in bfloat16. `turn_marks`: see voicechat/verdict.py,
    `plain_words`: voicechat/flamingo/typed.py."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    model.config.dtype = torch.bfloat16
    model.config.turn_marks = model.config.plain_words = True
    model.save_pretrained(folder, state_dict=state)
    processor.save_pretrained(folder)
