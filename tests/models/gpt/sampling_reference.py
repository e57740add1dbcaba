"""What every sampling field means, in plain Python and float64: one row, nothing clever."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def reference(
    logits: list[float], prompt: list[int], output: list[int], fields: dict[str, Any]
) -> list[float]:
    """The probability of each token of a vocabulary to be drawn after `prompt` and `output`."""
    scores = adjusted_scores(list(logits), prompt, output, fields)
    best = max(scores)
    if fields["temperature"] < 1e-5:
        first = scores.index(best)
        return [float(i == first) for i in range(len(scores))]
    weights = [math.exp((score - best) / fields["temperature"]) for score in scores]
    kept = [w if w >= fields["min_p"] else 0.0 for w in weights]  # the best one weighs 1
    if fields["top_k"] is not None:
        least = sorted(kept, reverse=True)[min(fields["top_k"], len(kept)) - 1]
        kept = [w if w >= least else 0.0 for w in kept]
    if fields["top_p"] < 1:
        reached, least = 0.0, 1.0
        for weight in sorted(kept, reverse=True):
            if reached >= fields["top_p"] * sum(kept):
                break
            reached, least = reached + weight, weight
        kept = [w if w >= least else 0.0 for w in kept]
    return [w / sum(kept) for w in kept]


def adjusted_scores(
    scores: list[float], prompt: list[int], output: list[int], fields: dict[str, Any]
) -> list[float]:
    """What is left of `scores` after bans, biases and penalties; they are changed in place."""
    banned = set(fields["ending"]) if len(output) < fields["min_tokens"] else set()
    banned |= _repeating(prompt + output, fields["no_repeat_ngram_size"])
    if len(banned) < len(scores):
        for token in banned:
            scores[token] = -math.inf
    for token, bias in fields["logit_bias"].items():
        scores[token] += bias
    penalty = fields["repetition_penalty"]
    for token in set(prompt + output):
        scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
    for token, count in Counter(output).items():
        scores[token] -= fields["frequency_penalty"] * count + fields["presence_penalty"]
    return scores


def _repeating(tokens: list[int], size: int) -> set[int]:
    """Tokens that would make an n-gram of this size come a second time."""
    if size == 0 or len(tokens) < size - 1:
        return set()
    newest = tokens[len(tokens) - size + 1 :]
    return {tokens[i + size - 1] for i in range(len(tokens) - size + 1) if tokens[i : i + size - 1] == newest}
