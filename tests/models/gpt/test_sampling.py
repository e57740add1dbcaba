"""Drawing tokens: the right distribution, exact cuts, one generator per request."""

from __future__ import annotations

import pytest
import torch

from models.gpt.sampling import Sampler, choose, log_probabilities

LOGITS = torch.tensor([2.0, 1.0, 0.5, -1.0, -torch.inf])


def draw(count: int, seed: int = 0, **changes: float | int | None) -> torch.Tensor:
    """Relative frequencies of `count` draws from LOGITS."""
    sampler = Sampler(seed, **changes)  # type: ignore[arg-type]
    tokens = [choose(LOGITS[None], [sampler])[0] for _ in range(count)]
    return torch.bincount(torch.tensor(tokens), minlength=5) / count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_follow_the_probabilities(temperature: float) -> None:
    wanted = torch.softmax(LOGITS / temperature, -1)
    assert (draw(4000, temperature=temperature) - wanted).abs().max() < 0.025


def test_top_k_keeps_the_k_best_in_proportion() -> None:
    wanted = torch.tensor([*torch.softmax(LOGITS[:2], -1), 0, 0, 0])
    assert (draw(4000, top_k=2) - wanted).abs().max() < 0.025


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    share = torch.softmax(LOGITS, -1)
    for limit, kept in ((0.01, 1), (share[0].item() + 0.01, 2), (share[:2].sum().item() + 0.01, 3)):
        assert int((draw(600, top_p=limit) > 0).sum()) == kept


def test_greedy_takes_the_best() -> None:
    assert draw(5, temperature=0)[0] == 1


def test_rows_keep_to_themselves() -> None:
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(12, 50, generator=random)
    settings = [(0.0, None, 1.0), (0.7, 5, 1.0), (1.0, None, 0.6), (1.5, 3, 0.9)] * 3
    together = [Sampler(i, *values) for i, values in enumerate(settings)]
    alone = [Sampler(i, *values) for i, values in enumerate(settings)]
    for _ in range(30):
        given = choose(logits, together)
        assert given == [choose(row[None], [sampler])[0] for row, sampler in zip(logits, alone, strict=True)]


def test_log_probabilities_sum_to_one_and_come_best_first() -> None:
    chosen, top = log_probabilities(LOGITS, 1, 5)
    assert chosen == pytest.approx(torch.log_softmax(LOGITS, -1)[1].item())
    assert [token for token, _ in top] == [0, 1, 2, 3, 4]
    assert sum(torch.tensor(value).exp().item() for _, value in top) == pytest.approx(1)
