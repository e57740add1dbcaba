"""What is released of runs that went on from one checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.checkpoint import save_checkpoint
from models.gpt.config import GPTConfig
from training.errors import TrainingError
from training.text.merging import merge
from training.text.settings import PRESETS, TextSettings

CONFIG = GPTConfig(
    training_data="",
    vocabulary=8,
    max_seq_len=8,
    num_layers=1,
    hidden_size=8,
    heads=1,
    kv_heads=1,
    mlp_width=8,
)


def save(folder: Path, *values: float) -> str:
    save_checkpoint(folder, CONFIG, {"w": torch.tensor(values)}, {}, "")
    return str(folder)


def settings(**changes: object) -> TextSettings:
    return PRESETS["tiny"].model_copy(update=changes)


def test_alone_nothing_is_changed() -> None:
    average = {"w": torch.tensor([0.1, 0.2])}
    assert merge(average, settings()) is average


def test_two_runs_give_their_mean(tmp_path: Path) -> None:
    average = {"w": torch.tensor([4.0, 1.0])}
    mean = merge(average, settings(merged_with=save(tmp_path / "other", 2.0, 5.0)))
    assert mean["w"].tolist() == [3.0, 3.0]
    assert average["w"].tolist() == [4.0, 1.0], "the run itself goes on as it was"


def test_another_shape_is_refused(tmp_path: Path) -> None:
    other = save(tmp_path / "other", 1.0, 2.0, 3.0)
    with pytest.raises(TrainingError, match="another shape"):
        merge({"w": torch.zeros(2)}, settings(merged_with=other))
    with pytest.raises(TrainingError, match="no such file"):
        merge({"w": torch.zeros(2)}, settings(merged_with=str(tmp_path / "none")))
