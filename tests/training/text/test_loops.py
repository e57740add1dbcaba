"""Windows that loop, and what it costs to carry a loop on."""

from __future__ import annotations

import math

import pytest
import torch

from training.text.loops import LONGEST, TIMES, make_loop, unlikelihood


@pytest.mark.parametrize("length", [16, 64, 257, 1025])
def test_a_loop_repeats_the_last_real_tokens_and_counts_from_the_third_time(length: int) -> None:
    periods = set()
    for seed in range(60):
        torch.manual_seed(seed)
        window, is_loop = make_loop(torch.arange(length))  # every real token is another one
        assert window.shape == is_loop.shape == (min(length, 193),)
        fresh = [i for i, token in enumerate(window.tolist()) if token == i]
        num_real = len(fresh)
        assert fresh == list(range(num_real))
        if num_real == len(window):
            continue
        period = num_real - int(window[num_real])
        assert 1 <= period <= LONGEST
        periods.add(period)
        later = torch.arange(num_real, len(window))
        assert torch.equal(window[later], window[later - period])
        counted = is_loop.nonzero().flatten().tolist()
        assert counted == list(range(num_real + period, min(len(window), num_real + TIMES * period)))
    assert {1, 2} <= periods
    assert len(periods) > 4


def test_only_what_carries_a_loop_on_costs() -> None:
    targets = torch.tensor([0, 1, 2])
    logits = torch.log(torch.tensor([[0.98, 0.01, 0.01], [0.25, 0.5, 0.25], [0.05, 0.05, 0.9]]))
    cost = unlikelihood(logits, targets, torch.tensor([False, True, True]))
    assert cost.item() == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2, rel=1e-5)
    assert unlikelihood(logits, targets, torch.tensor([False] * 3)).item() == 0


def test_certainty_costs_no_infinity() -> None:
    logits = torch.tensor([[1e4, 0.0]], requires_grad=True)
    cost = unlikelihood(logits, torch.tensor([0]), torch.tensor([True]))
    cost.backward()
    assert 5 < cost.item() < 20
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
