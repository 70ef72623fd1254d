# What is used of transformers, typed as it is used. Its own 2,500 files would take most of mypy's time.
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

class LogitsProcessor:
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor: ...

class RepetitionPenaltyLogitsProcessor(LogitsProcessor):
    def __init__(self, penalty: float) -> None: ...

class TemperatureLogitsWarper(LogitsProcessor):
    def __init__(self, temperature: float) -> None: ...

class TopKLogitsWarper(LogitsProcessor):
    def __init__(self, top_k: int) -> None: ...

class TopPLogitsWarper(LogitsProcessor):
    def __init__(self, top_p: float) -> None: ...

class LogitsProcessorList(list[LogitsProcessor]):
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor: ...

class Cache: ...

class DynamicCache(Cache):
    def __init__(self, *, config: Any) -> None: ...

class StaticCache(Cache):
    def __init__(self, config: Any, max_cache_len: int) -> None: ...

class WhisperFeatureExtractor:
    mel_filters: npt.NDArray[np.float64]
    def __init__(self, feature_size: int) -> None: ...

class AutoProcessor:
    @classmethod
    def from_pretrained(cls, folder: Path, *, local_files_only: bool) -> Any: ...

class AudioFlamingo3ForConditionalGeneration:
    @classmethod
    def from_pretrained(cls, folder: Path, **options: Any) -> Any: ...
