"""Every time an utterance is used it sounds different: all done on the log-mel, a batch at once.

Pace and vocal tract (a warp of both axes), level, microphone (tilt, telephone band), noise behind
the speech, silence around it, and masks over time and bands (SpecAugment, arXiv 1904.08779).
"""

from __future__ import annotations

import math

import torch

from streaming.encoder import PADDING
from streaming.mel import FLOOR, whisper_scale

LN10 = math.log(10)


def _uniform(low: float, high: float, *shape: int) -> torch.Tensor:
    return torch.empty(shape).uniform_(low, high)


def _warped(mels: list[torch.Tensor]) -> list[torch.Tensor]:
    """Stretch each utterance in time by up to 12% and its formants by up to 6%."""
    out = []
    for mel in mels:
        count = max(8, round(len(mel) * float(_uniform(0.88, 1.12, 1))))
        bands = torch.arange(128) * float(_uniform(0.94, 1.06, 1))
        grid = torch.stack(
            torch.broadcast_tensors(bands[None] / 63.5 - 1, torch.linspace(-1, 1, count)[:, None]), dim=-1
        )
        out.append(
            torch.nn.functional.grid_sample(
                mel.float()[None, None], grid[None], padding_mode="border", align_corners=True
            )[0, 0]
        )
    return out


def _noise(sounds: list[torch.Tensor], frames: int) -> torch.Tensor:
    sound = sounds[int(torch.randint(len(sounds), (1,)))].float()
    start = int(torch.randint(len(sound), (1,)))
    turned = torch.cat((sound[start:], sound[:start]))
    return turned.repeat(-(-frames // len(turned)), 1)[:frames]


def mixed(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The log10 power of two sounds heard together."""
    return torch.logaddexp(first * LN10, second * LN10) / LN10


def batch_of(
    mels: list[torch.Tensor], sounds: list[torch.Tensor], augment: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Raw log-mels [frames, 128] -> (scaled [batch, 128, longest + PADDING], lengths [batch])."""
    size = len(mels)
    if augment:
        mels = _warped(mels)
        before, after = torch.randint(0, 25, (size,)), torch.randint(3, 35, (size,))
    else:
        before, after = torch.full((size,), 20), torch.full((size,), 30)
    lengths = torch.tensor([len(m) for m in mels]) + before + after
    if augment:  # few different shapes: kernels are prepared for each
        lengths[lengths.argmax()] += -lengths.max() % 16
    batch = torch.full((size, int(lengths.max()) + PADDING, 128), FLOOR)
    for row, mel in enumerate(mels):
        batch[row, before[row] : before[row] + len(mel)] = mel.float()
    if augment:
        batch = _microphone(batch, lengths, sounds)
    inside = torch.arange(batch.shape[1])[None, :] < lengths[:, None]
    batch = whisper_scale(torch.where(inside[..., None], batch, FLOOR))
    if augment:
        _mask(batch, lengths)
    return batch.transpose(1, 2).contiguous(), lengths


def _microphone(batch: torch.Tensor, lengths: torch.Tensor, sounds: list[torch.Tensor]) -> torch.Tensor:
    size, frames, _ = batch.shape
    loudness = batch.amax(dim=-1).topk(10, dim=1).values.mean(dim=1)
    noisy = torch.rand(size) < 0.6
    noise = torch.full_like(batch, FLOOR)
    for row in noisy.nonzero().flatten().tolist():
        slice_ = _noise(sounds, frames)
        level = loudness[row] - float(_uniform(0.3, 3.5, 1)) - slice_.amax(dim=-1).topk(10).values.mean()
        noise[row] = slice_ + level
    hiss = loudness[:, None, None] - _uniform(4, 9, size, 1, 1) + 0.3 * torch.randn_like(batch)
    batch = mixed(mixed(batch, noise), hiss)

    bands = torch.linspace(-0.5, 0.5, 128)
    batch = batch + _uniform(-1.2, 1.2, size, 1, 1) * bands
    telephone = torch.rand(size, 1, 1) < 0.15
    low, high = _uniform(5, 12, size, 1, 1), _uniform(88, 100, size, 1, 1)  # about 200-400 Hz, 3.0-4.2 kHz
    place = torch.arange(128)
    cut = (low - place).clamp(min=0) * 0.3 + (place - high).clamp(min=0) * 0.3
    batch = torch.where(telephone, batch - cut.clamp(max=5), batch)
    return (batch + _uniform(-2.5, 0.5, size, 1, 1)).clamp(min=FLOOR)


def _mask(batch: torch.Tensor, lengths: torch.Tensor) -> None:
    means = batch.mean(dim=(1, 2))
    for row in range(len(batch)):
        for _ in range(2):
            width, start = int(torch.randint(0, 9, (1,))), int(torch.randint(0, int(lengths[row]), (1,)))
            batch[row, start : start + width] = means[row]
            wide, low = int(torch.randint(0, 17, (1,))), int(torch.randint(0, 112, (1,)))
            batch[row, :, low : low + wide] = means[row]
