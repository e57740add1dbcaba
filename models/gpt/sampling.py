"""Choosing next tokens: temperature, top-k, top-p, greedy, and the log-probabilities on request.

Every step on a row depends on that row alone. Cuts are made by threshold, so that ties never depend on how a
sort happened to order them, and each request brings its own uniform numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Sampler:
    """How one request draws its tokens; holds the request's only generator."""

    seed: int
    temperature: float = 1.0  # 0 is greedy
    top_k: int | None = None
    top_p: float = 1.0
    generator: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)


def choose(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """Draw one token id per row of `logits` (n, vocabulary), advancing each row's generator by one number."""
    uniform = torch.tensor([sampler.generator.random() for sampler in samplers], dtype=torch.float64)
    greedy = logits.argmax(-1)
    if all(sampler.temperature == 0 for sampler in samplers):
        return greedy.tolist()
    temperatures = torch.tensor([sampler.temperature or 1.0 for sampler in samplers], device=logits.device)
    scores = logits.float() / temperatures[:, None]
    scores = _keep_top_k(scores, [sampler.top_k for sampler in samplers])
    probabilities = _keep_top_p(torch.softmax(scores, -1).double(), [sampler.top_p for sampler in samplers])
    steps = probabilities.cumsum(-1)
    total = steps[:, -1:]
    # Rounding must not carry a draw onto the total itself, where no token with any probability stands.
    target = torch.minimum(
        uniform[:, None].to(total) * total, torch.nextafter(total, torch.zeros_like(total))
    )
    drawn = torch.searchsorted(steps, target, right=True)[:, 0]
    is_greedy = torch.tensor([sampler.temperature == 0 for sampler in samplers], device=logits.device)
    return torch.where(is_greedy, greedy, drawn).tolist()


def _keep_top_k(scores: Tensor, limits: Sequence[int | None]) -> Tensor:
    """Scores below a row's k-th best become -inf; rows without a limit stay as they are."""
    vocabulary = scores.shape[-1]
    ks = [vocabulary if limit is None else min(limit, vocabulary) for limit in limits]
    rows = [row for row, k in enumerate(ks) if k < vocabulary]
    if not rows:
        return scores
    index = torch.tensor(rows, device=scores.device)
    best = scores[index].topk(max(ks[row] for row in rows), -1).values
    kth = torch.tensor([ks[row] - 1 for row in rows], device=scores.device)
    threshold = best.gather(1, kth[:, None])
    cut = scores[index].masked_fill(scores[index] < threshold, -torch.inf)
    return scores.index_copy(0, index, cut)


def _keep_top_p(probabilities: Tensor, limits: Sequence[float]) -> Tensor:
    """The most likely tokens whose sum first reaches a row's limit keep their probability, the rest get 0."""
    rows = [row for row, limit in enumerate(limits) if limit < 1]
    if not rows:
        return probabilities
    index = torch.tensor(rows, device=probabilities.device)
    chosen = probabilities[index]
    ordered = chosen.sort(-1, descending=True).values
    before = ordered.cumsum(-1) - ordered
    limit = torch.tensor([limits[row] for row in rows], device=ordered.device, dtype=ordered.dtype)
    num_kept = (before < limit[:, None] * ordered.sum(-1, keepdim=True)).sum(-1).clamp(min=1)
    threshold = ordered.gather(1, num_kept[:, None] - 1)
    return probabilities.index_copy(0, index, chosen.masked_fill(chosen < threshold, 0))


def log_probabilities(logits: Tensor, chosen: int, num_top: int) -> tuple[float, list[tuple[int, float]]]:
    """The model's own log-probabilities (before temperature and cuts) from one row of `logits` (vocabulary,).

    Returns:
        that of the chosen token, and the `num_top` most likely tokens with theirs, best first.
    """
    logs = torch.log_softmax(logits.float(), -1)
    top = logs.topk(min(num_top, logs.numel()))
    return logs[chosen].item(), list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
