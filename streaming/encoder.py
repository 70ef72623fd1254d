"""The rolling encoder cache: AF3's audio embeddings, kept up while the audio arrives.

AF3 hears a clip as windows of 30 s that do not see each other. A closed window is exact for ever:
it is encoded once. Inside the open window attention runs both ways, so it has no stable prefix: it
is encoded anew when it is asked for, but at its real length and not at 30 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from streaming.mel import SAMPLE_RATE, WINDOW_SAMPLES, MelWindow, whisper_scale

PADDING = 4  # mel frames of the silence after a clip that the convolutions reach into


def steps_of(frames: int) -> int:
    """Encoder steps (50 a second) of a window with so many mel frames."""
    return (frames - 1) // 2 + 1 if frames else 0


def tokens_of(frames: int) -> int:
    """Audio tokens (25 a second) of a window with so many mel frames."""
    return max(0, (steps_of(frames) - 2) // 2 + 1)


def tower_states(tower: Any, mel: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
    """AF3's audio tower before its pooling, at the length of the longest clip instead of 30 s.

    mel: [batch, bands, time], scaled, with `PADDING` frames of silence after each clip (fewer only
    at the end of a full window); frames: how many of each clip count. Returns [batch, steps, width].

    The tower masks padding out of its attention, so cutting its position table to the clip changes
    nothing but the cost.
    """
    longest = steps_of(max(frames))
    states: torch.Tensor = functional.gelu(tower.conv1(mel.to(tower.conv1.weight.dtype)))
    states = functional.gelu(tower.conv2(states)).transpose(1, 2)[:, :longest]
    states = states + tower.embed_positions.weight[:longest]
    mask = None
    if len(set(frames)) > 1:
        ends = torch.tensor([steps_of(f) for f in frames], device=mel.device)
        mask = (torch.arange(longest, device=mel.device) < ends[:, None])[:, None, None, :]
    for layer in tower.layers:
        states = layer(states, mask)
    return states


def embeddings_of(model: Any, states: torch.Tensor) -> torch.Tensor:
    """[batch, steps, width] -> [batch, steps // 2, text width]: AF3's pooling, norm and adaptor."""
    tower = model.audio_tower
    states = tower.avg_pooler(states.transpose(1, 2)).transpose(1, 2)
    embeddings: torch.Tensor = model.multi_modal_projector(tower.layer_norm(states))
    return embeddings


class ClipTooLong(ValueError):
    """More audio than the model can hear in one clip."""


class RollingEncoder:
    """The embeddings of one clip, equal to those of `get_audio_features` on the whole of it.

    `model` is the `AudioFlamingo3Model` inside the checkpoint (audio_tower, multi_modal_projector).
    Not for more than one thread at a time.
    """

    def __init__(self, model: Any, max_windows: int = 20) -> None:
        self.samples = 0
        self.closed: list[torch.Tensor] = []  # [750, text width] each
        self.max_windows = max_windows
        self._model = model
        self._weight = model.audio_tower.conv1.weight
        self._window = self._new_window()
        self._open: tuple[int, torch.Tensor] | None = None  # (samples it was encoded at, embeddings)

    def _new_window(self) -> MelWindow:
        return MelWindow(bands=self._weight.shape[1], device=self._weight.device)

    def append(self, samples: np.ndarray | torch.Tensor) -> None:
        """Add mono float32 samples at 16 kHz, any number. A window that fills is encoded at once.

        Raises ClipTooLong when the clip grows beyond what the model can hear.
        """
        rest = torch.as_tensor(samples, dtype=torch.float32)
        if self.samples + len(rest) > self.max_windows * WINDOW_SAMPLES:
            limit = self.max_windows * WINDOW_SAMPLES // SAMPLE_RATE
            raise ClipTooLong(f"a clip can hold {limit} s of audio: pause to have it answered, or send a shorter one")
        while len(rest):
            room = WINDOW_SAMPLES - self._window.samples
            self._window.append(rest[:room])
            self.samples += min(room, len(rest))
            rest = rest[room:]
            if self._window.full:
                self.closed.append(self._encode(self._window))
                self._window = self._new_window()

    def embeddings(self) -> torch.Tensor:
        """[tokens, text width] of everything so far, 25 a second. Asking again costs nothing."""
        return torch.cat((*self.closed, self.open()))

    def open(self) -> torch.Tensor:
        """[tokens, text width] of the open window."""
        if self._open is None or self._open[0] != self.samples:
            self._open = (self.samples, self._encode(self._window))
        return self._open[1]

    @torch.inference_mode()
    def _encode(self, window: MelWindow) -> torch.Tensor:
        frames = window.frames()
        if tokens_of(frames) == 0:
            width = self._model.multi_modal_projector.linear_2.out_features
            return torch.zeros(0, width, dtype=self._weight.dtype, device=self._weight.device)
        mel = whisper_scale(window.read(PADDING))[None]
        return embeddings_of(self._model, tower_states(self._model.audio_tower, mel, [frames]))[0]
