"""One conversation's KV cache, which follows the conversation.

Shown a prompt, it keeps the rows that are still true, drops the rest, and prefills what is new.
Interruption, speculation and correction need nothing else: they show it another prompt.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache

from voicechat.flamingo.prompt import Prompt

BLOCK = 2048  # tokens prefilled in one pass: bounds the memory of a ten-minute clip


class KeyValues:
    """A growing cache, for the CPU. `model` is the whole AudioFlamingo3ForConditionalGeneration."""

    def __init__(self, model: Any, context: int) -> None:
        self.model, self.context = model, context
        self.held: list[Hashable] = []
        self._cache = self._new_cache()

    def _new_cache(self) -> Any:
        return DynamicCache(config=self.model.config.text_config)

    def roll_back(self, length: int) -> None:
        """Forget everything after the first `length` positions."""
        if length < len(self.held):
            self._crop(len(self.held) - length)
            del self.held[length:]

    def _crop(self, count: int) -> None:
        self._cache.crop(-count)

    @torch.inference_mode()
    def follow(self, prompt: Prompt) -> torch.Tensor | None:
        """Make the cache hold `prompt`. Returns the logits [vocabulary] after its last position.

        None for a prompt that is held already to its end, unless a position has to be shown again
        to have its logits: `logits` does that.
        """
        pairs = zip(self.held, prompt.keys, strict=False)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self.roll_back(kept)
        logits = None
        if kept < len(prompt.keys):
            rows = prompt.embed(kept, self.model.get_input_embeddings(), self.model.device)
            for block in rows.split(BLOCK, dim=1):
                at = len(self.held)
                logits = self._forward(block)
                self.held += prompt.keys[at : at + block.shape[1]]
        return logits

    def logits(self, prompt: Prompt) -> torch.Tensor:
        """`follow`, and the logits [vocabulary] of what comes after the prompt."""
        logits = self.follow(prompt)
        if logits is None:
            self.roll_back(len(prompt.keys) - 1)
            logits = self.follow(prompt)
        assert logits is not None
        return logits

    @torch.inference_mode()
    def step(self, token: int) -> torch.Tensor:
        """Show one more token; the logits [vocabulary] after it."""
        ids = torch.tensor([[token]], device=self.model.device)
        logits = self._forward(self.model.get_input_embeddings()(ids))
        self.held.append(token)
        return logits

    def _forward(self, rows: torch.Tensor) -> torch.Tensor:
        out = self.model(inputs_embeds=rows, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits: torch.Tensor = out.logits[0, -1]
        return logits
