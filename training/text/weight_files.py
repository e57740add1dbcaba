"""Tensors of a Hugging Face folder: safetensors or PyTorch's own files, whole or in shards."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from training.errors import TrainingError

WHOLE = ("model.safetensors", "pytorch_model.bin")


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor by name; safetensors are preferred. Of a .bin file nothing but tensors is unpickled."""
    for name in WHOLE:
        if (folder / name).exists():
            return _read(folder / name)
        index = folder / f"{name}.index.json"
        if index.exists():
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            if any(Path(shard).name != shard for shard in shards):
                raise TrainingError(f"{index}: names a file outside its folder")
            return {name: tensor for shard in shards for name, tensor in _read(folder / shard).items()}
    raise TrainingError(f"{folder}: has none of {', '.join(WHOLE)}, whole or in shards")


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return dict(torch.load(path, map_location="cpu", weights_only=True))
