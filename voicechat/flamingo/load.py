"""Finding a model directory, and loading it with every file looked at first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voicechat.errors import ModelError

MINI = Path(__file__).parent.parent / "mini"
HUB = "nvidia/audio-flamingo-3-hf"
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "chat_template.jinja",
    "processor_config.json",
)
LICENCE = "its weights are for non-commercial use only (NVIDIA OneWay Noncommercial, Qwen Research)"


def choose_device(wanted: str) -> str:
    """`auto`, `cpu` or `cuda` -> `cpu` or `cuda`. Raises ModelError for a GPU that is not there."""
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise ModelError(
            "torch sees no CUDA GPU: use `--device cpu` with the mini model, or install a CUDA build of torch"
        )
    return "cpu"


def find(name: str, wanted: str) -> tuple[Path, str]:
    """`auto`, `mini`, a directory or a hub id -> the directory, and a line on the choice ("" if none is due).

    `wanted` is the device as `choose_device` takes it: `auto` depends on it.

    Nothing is downloaded: a hub id must be in the local cache already.
    """
    if name == "mini":
        return MINI, ""
    if name == "auto":
        device = choose_device(wanted)
        cached = _in_cache(HUB)
        if device == "cuda" and cached:
            return cached, ""
        if device == "cuda":
            return (
                MINI,
                f"Audio Flamingo 3 is not on this disk: using mini. Fetch it with `hf download {HUB}` ({LICENCE}).",
            )
        return MINI, ""
    if Path(name).is_dir():
        return Path(name), ""
    if "/" in name and not name.startswith((".", "/", "~")) and (cached := _in_cache(name)):
        return cached, ""
    known = "use `auto`, `mini`, a model directory, or a hub id that was fetched with `hf download ID`"
    raise ModelError(f"no model at {name!r}: {known}")


def _in_cache(hub_id: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def check(folder: Path) -> None:
    """Raise ModelError, naming the file, when the directory cannot be an Audio Flamingo 3 checkpoint."""
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise ModelError(f"the model directory {folder} has no {name}: {_remedy(folder)}")
        if name.endswith(".json"):
            try:
                json.loads(path.read_text())
            except ValueError:
                raise ModelError(f"{path} is damaged: {_remedy(folder)}") from None
    kind = json.loads((folder / "config.json").read_text()).get("model_type")
    if kind != "audioflamingo3":
        raise ModelError(
            f"{folder} holds a {kind!r} model: voicechat runs Audio Flamingo 3 (model_type audioflamingo3)"
        )
    for weights in _weight_files(folder):
        if not weights.is_file():
            raise ModelError(f"the model directory {folder} has no {weights.name}: fetch the model again")


def _remedy(folder: Path) -> str:
    if folder == MINI:
        return "bring it back with `git checkout voicechat/mini`, or use `--model DIR`"
    return "fetch the model again, or use `--model mini`"


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    try:
        return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
    except (ValueError, KeyError):
        raise ModelError(f"{index} is damaged: fetch the model again") from None


def load(folder: Path, device: str) -> tuple[Any, Any]:
    """(model, processor), ready to run: bfloat16 on a GPU, float32 for a small model on the CPU."""
    check(folder)
    import torch
    from safetensors import SafetensorError
    from transformers import AudioFlamingo3ForConditionalGeneration, AutoProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()
    size = sum(path.stat().st_size for path in _weight_files(folder))
    dtype = torch.bfloat16 if device == "cuda" or size > 4e9 else torch.float32
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        loaded: Any = AudioFlamingo3ForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True
        )
        model, report = loaded
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"the model in {folder} cannot be loaded ({why}): {_remedy(folder)}") from None
    if report["missing_keys"]:
        some = sorted(report["missing_keys"])[0]
        raise ModelError(f"the weights in {folder} are not complete ({some} is missing): fetch the model again")
    return model.to(device).eval(), processor
