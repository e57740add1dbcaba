"""Loading a checkpoint draws no weights, and does not import what only training needs."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from harness.server import ROOT
from models.unfilled import Unfilled


def test_nothing_is_drawn() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with Unfilled():
        made = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 8), nn.LayerNorm(8))
    assert torch.equal(torch.get_rng_state(), before)
    assert made(torch.tensor([3])).shape == (1, 8)
    nn.Linear(8, 8)
    assert not torch.equal(torch.get_rng_state(), before)


def test_serving_a_text_model_imports_no_compiler_of_pytorch() -> None:
    code = """
import sys
from pathlib import Path
from models.gpt.engine import TextEngine
TextEngine.load(Path("checkpoints/gpt-shakespeare"), "cpu", 1)
assert "torch._dynamo" not in sys.modules, "three seconds and 80 MB"
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
