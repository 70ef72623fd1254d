"""Whisper's log-mel spectrogram, computed while the audio arrives.

Equal to `WhisperFeatureExtractor` on the whole window (a 400-sample Hann window every 160 samples,
power, Slaney mel bands, log10), except that the floor `max - 8` is left to `whisper_scale`: it
depends on the loudest frame of the window, which is known only when the window is encoded.
"""

from __future__ import annotations

from functools import cache

import torch
from transformers import WhisperFeatureExtractor

SAMPLE_RATE = 16_000
HOP = 160
FRAME = 400
MARGIN = FRAME // 2  # samples a frame reaches to either side of its centre
WINDOW_SAMPLES = 30 * SAMPLE_RATE
WINDOW_FRAMES = WINDOW_SAMPLES // HOP
BATCH = SAMPLE_RATE // 2  # samples that are transformed together: one call a chunk would cost more than the work
FLOOR = -10.0  # log10 of the smallest power that is told from silence


@cache
def _hann(device: torch.device) -> torch.Tensor:
    return torch.hann_window(FRAME, device=device)


@cache
def mel_filters(bands: int, device: torch.device) -> torch.Tensor:
    """[bands, 201]: the weight of each FFT bin in each mel band."""
    filters = WhisperFeatureExtractor(feature_size=bands).mel_filters
    return torch.from_numpy(filters.T.copy()).to(device, torch.float32)


def log_mel(samples: torch.Tensor, bands: int = 128) -> torch.Tensor:
    """log10 power of every whole frame in `samples`: [n] float32 -> [bands, (n - 400) // 160 + 1]."""
    frames = samples.unfold(0, FRAME, HOP) * _hann(samples.device)
    power = torch.fft.rfft(frames).abs().square()
    mel = mel_filters(bands, samples.device) @ power.T
    floored: torch.Tensor = mel.clamp(min=10.0**FLOOR)
    return floored.log10()


def whisper_scale(mel: torch.Tensor) -> torch.Tensor:
    """Raw log-mel of a whole window -> what the encoder was trained on: floor at max - 8, then / 4."""
    peak = mel.amax(dim=(-2, -1), keepdim=True)
    return (torch.maximum(mel, peak - 8.0) + 4.0) / 4.0


class MelWindow:
    """The raw log-mel of one 30-s window, grown as audio arrives.

    A frame is computed once, half a second of them at a time; only those at the open end, half a
    second at most, are computed anew when the window is asked for.
    """

    def __init__(self, bands: int = 128, device: torch.device | str = "cpu") -> None:
        self.bands = bands
        self.device = torch.device(device)
        self.samples = 0
        self._tail = torch.zeros(0, device=self.device)  # what the next frame still needs
        self._done: list[torch.Tensor] = []
        self._frames = 0
        self._mirrored = False  # the left edge has been put before the first sample

    @property
    def full(self) -> bool:
        return self.samples == WINDOW_SAMPLES

    def append(self, samples: torch.Tensor) -> None:
        """Add mono float32 samples; never more than the window has room for."""
        if self.samples + len(samples) > WINDOW_SAMPLES:
            raise ValueError("a mel window holds 30 s: cut the audio at the window's end")
        samples = samples.to(self.device)
        self.samples += len(samples)
        self._tail = torch.cat((self._tail, samples))
        if not self._mirrored:
            if self.samples <= MARGIN:
                return  # the left edge mirrors the first 200 samples: wait for them
            self._tail = torch.cat((self._tail[1 : MARGIN + 1].flip(0), self._tail))
            self._mirrored = True
        if len(self._tail) >= BATCH:
            self._keep(log_mel(self._tail, self.bands))

    def _keep(self, mel: torch.Tensor) -> None:
        self._done.append(mel)
        self._frames += mel.shape[1]
        self._tail = self._tail[mel.shape[1] * HOP :].clone()

    def frames(self) -> int:
        """How many mel frames count as audio, as the extractor's attention mask has it."""
        return -(-self.samples // HOP)

    def read(self, padding: int = 0) -> torch.Tensor:
        """[bands, frames() + padding]: the window so far, followed by the mel of the silence after it.

        At most `WINDOW_FRAMES` frames.
        """
        wanted = min(self.frames() + padding, WINDOW_FRAMES)
        tail = self._tail
        if not self._mirrored:  # 200 samples or fewer: what follows them is silence
            tail = torch.cat((tail, tail.new_zeros(FRAME)))
            tail = torch.cat((tail[1 : MARGIN + 1].flip(0), tail))
        reach = (wanted - self._frames) * HOP + FRAME - HOP  # samples that the missing frames cover
        mirrored = max(0, (wanted - 1) * HOP + MARGIN - WINDOW_SAMPLES)
        tail = torch.cat((tail, tail.new_zeros(max(0, reach - mirrored - len(tail)))))
        if mirrored:  # the right edge of a full window mirrors, as the left one does
            tail = torch.cat((tail, tail[-mirrored - 1 : -1].flip(0)))
        missing = [log_mel(tail[:reach], self.bands)] if reach >= FRAME else []
        return torch.cat((*self._done, *missing), dim=1)[:, :wanted]
