"""Drawing tokens on the device: steps 5 to 9 of models/gpt/sampling.py, with every field a column.

Nothing here depends on the values of a field, so that all of it can be captured once and replayed. Every
operation is a kernel: what the host can work out once for a request comes in its record.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.gpt.device.control import Control


def draw(logits: Tensor, control: Control, has_cuts: bool) -> Tensor:
    """One token id (n,) for each row of adjusted float32 `logits` (n, vocabulary).

    Of a row whose scores aren't finite, the vocabulary's size, which is no token.

    Args:
        has_cuts: whether any row may have a min_p, top_k or top_p; without, there is nothing to sort.
    """
    scores = logits / control.temperature[:, None]
    if has_cuts:
        scores = _cut(scores, control)
    sums = torch.softmax(scores, -1).double().cumsum(-1)
    # Some sum is always greater (random_numbers.py), but none where sums are NaN.
    num_greater = (sums > control.uniform() * sums[:, -1:]).sum(-1)
    is_greedy = (control.is_greedy > 0) & (num_greater > 0)
    return torch.where(is_greedy, logits.argmax(-1), logits.shape[-1] - num_greater)


def _cut(scores: Tensor, control: Control) -> Tensor:
    """Scores that min_p, top_k and top_p in turn leave out become -inf. Cuts are thresholds: ties stay."""
    ordered = scores.sort(-1, descending=True).values
    # What min_p leaves is an end of the order too: the k-th of what is left is the k-th of all, or its last.
    kth = ordered.gather(1, control.kth[:, None])
    is_out = (ordered - ordered[:, :1] < control.lowest_gap[:, None]) | (ordered < kth)
    chances = torch.softmax(ordered.masked_fill(is_out, -torch.inf), -1).double()
    sums = chances.cumsum(-1)
    is_out |= sums - chances >= control.top_p[:, None] * sums[:, -1:]
    threshold = ordered.masked_fill(is_out, torch.inf).amin(-1, keepdim=True)
    return scores.masked_fill(scores < threshold, -torch.inf)
