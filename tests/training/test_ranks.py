"""Two gloo processes under torchrun, of one machine or of two, take the steps that one process takes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.server import free_port
from models.checkpoint import read_metrics, read_weights
from training.__main__ import main

# Without dropout, whose draws differ by rank. What is left is the order of sums in float32, and weights are
# compared as they are stored, in bfloat16.
SETTINGS = ("dropout=0", "steps=20", "eval_every=10", "save_every=50")


def arguments(text: Path, run: Path) -> list[str]:
    overrides = [word for setting in SETTINGS for word in ("--set", setting)]
    return ["text", "--data", str(text), "--run", str(run), "--threads", "1", "--preset", "tiny", *overrides]


# A few of 500 exchanges find gloo's thread still holding what they gave it, if they don't wait for it.
RELEASED = """
import torch
from training.ranks import join_ranks
with join_ranks("cpu") as ranks:
    for number in range(500):
        mean = ranks.mean(torch.tensor(float(ranks.rank + number)))
        assert mean._use_count() == 1, f"exchange {number} is still held"
        assert mean.item() == number + 0.5
"""


def torchrun(*arguments: str, nodes: int = 1) -> str:
    """Two processes, of one torchrun or of one on each of two nodes; what all say on stderr."""
    launcher = ["-m", "torch.distributed.run", "--nnodes", str(nodes), "--nproc-per-node", str(2 // nodes)]
    launcher += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    started = [
        subprocess.Popen(
            [sys.executable, *launcher, "--node-rank", str(rank), *arguments],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for rank in range(nodes)
    ]  # fmt: skip
    try:
        said = "".join(one.communicate(timeout=240)[1] for one in started)
    finally:
        for one in started:
            one.kill()
            one.wait()
    assert [one.returncode for one in started] == [0] * nodes, said
    return said


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_two_processes_equal_one(tmp_path: Path) -> None:
    chance, text = random.Random(0), tmp_path / "words.txt"
    text.write_text("".join(chance.choice(["the ", "king ", "is ", "dead\n"]) for _ in range(12_000)))
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert main(arguments(text, alone)) == 0
    torchrun("-m", "--", "training", *arguments(text, shared), "--max-minutes", "0")
    assert read_metrics(shared / "checkpoint")["steps"] == 1
    resumed = torchrun("-m", "--", "training", *arguments(text, shared), "--resume", nodes=2)
    assert "in 2 processes" in resumed
    assert resumed.count("step 20/20") == 1  # one of them speaks
    assert losses(shared) == pytest.approx(losses(alone), abs=1e-4)
    wanted, given = (read_weights(run / "checkpoint") for run in (alone, shared))
    for name, tensor in wanted.items():
        torch.testing.assert_close(given[name], tensor, atol=2e-3, rtol=0.01)


def test_an_exchange_is_over_when_its_tensor_is_released(tmp_path: Path) -> None:
    script = tmp_path / "released.py"
    script.write_text(RELEASED)
    torchrun(str(script))
