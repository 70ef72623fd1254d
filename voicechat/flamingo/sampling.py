"""Choosing the next token as the checkpoint's generation_config says."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


class Sampler:
    """The same processors in the same order as `generate`. `greedy` overrides `do_sample`."""

    def __init__(self, config: Any, device: torch.device, greedy: bool = False, seed: int | None = None) -> None:
        self._sample = bool(config.do_sample) and not greedy
        self._processors = LogitsProcessorList()
        if (config.repetition_penalty or 1.0) != 1.0:
            self._processors.append(RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
        if self._sample:
            if (config.temperature or 1.0) != 1.0:
                self._processors.append(TemperatureLogitsWarper(config.temperature))
            if config.top_k:
                self._processors.append(TopKLogitsWarper(config.top_k))
            if (config.top_p or 1.0) < 1.0:
                self._processors.append(TopPLogitsWarper(config.top_p))
        self._random = torch.Generator(device)
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed)

    def choose(self, ids: list[int], logits: torch.Tensor) -> int:
        """The next token after `ids`, whose logits [vocabulary] are given."""
        scores = logits.float()[None]
        if self._processors:
            scores = self._processors(torch.tensor([ids], device=logits.device), scores)
        if self._sample:
            return int(torch.multinomial(scores.softmax(-1), 1, generator=self._random))
        return int(scores.argmax())
