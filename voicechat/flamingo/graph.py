"""The KV cache on a GPU: of fixed size, with the decode step captured once as a CUDA graph.

A step at batch 1 is some hundreds of small kernels; launched one by one they cost more than the
reading of the weights. The graph is captured over the cache's own tensors: positions are read from
the cache's length, so replaying it is all a step needs.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from transformers import StaticCache

from voicechat.flamingo.cache import KeyValues

log = logging.getLogger(__name__)
WARM_UPS = 2


class StaticKeyValues(KeyValues):
    """`KeyValues` whose tensors never move. It holds `context` positions and no more."""

    def __init__(self, model: Any, context: int, capture: bool = True) -> None:
        super().__init__(model, context)
        self._token = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        self._places = torch.arange(context, device=model.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits: torch.Tensor | None = None
        self._capture = capture and model.device.type == "cuda"

    def _new_cache(self) -> Any:
        return StaticCache(config=self.model.config.text_config, max_cache_len=self.context)

    def _crop(self, count: int) -> None:
        for layer in self._cache.layers:
            layer.cumulative_length.sub_(count)

    def _decode(self) -> torch.Tensor:
        """One step for the token in `_token`: no value is read back to the host."""
        position = self._cache.layers[0].cumulative_length.reshape(1, 1)
        mask = (self._places <= position)[None, None]  # [1, 1, 1, context]
        states = self.model.model.language_model(
            inputs_embeds=self.model.get_input_embeddings()(self._token),
            attention_mask={"full_attention": mask},
            position_ids=position.clone(),
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        logits: torch.Tensor = self.model.lm_head(states[:, -1])
        return logits

    @torch.inference_mode()
    def step(self, token: int) -> torch.Tensor:
        self._token.fill_(token)
        if self._capture and self._graph is None and len(self.held) + WARM_UPS < self.context:
            self._record()
        if self._graph is None:
            logits = self._decode()
        else:
            self._graph.replay()
            assert self._logits is not None
            logits = self._logits
        self.held.append(token)
        return logits[0].clone()

    def _record(self) -> None:
        """Capture `_decode`; where that cannot be done, say so once and decode step by step."""
        length = len(self.held)
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):  # lazy initialisations must not fall into the capture
                    self._decode()
            torch.cuda.current_stream().wait_stream(side)
            self._set_length(length)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._logits = self._decode()
            self._graph = graph
        except RuntimeError as error:
            self._capture = False
            log.warning("no CUDA graph for the decode step (%s): decoding goes on, more slowly", error)
        self._set_length(length)

    def _set_length(self, length: int) -> None:
        for layer in self._cache.layers:
            layer.cumulative_length.fill_(length)
