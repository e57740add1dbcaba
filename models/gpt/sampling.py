"""Choosing next tokens: what each sampling field means, in which order, and the log-probabilities on request.

Every step on a row depends on that row alone; cuts are made by threshold, so that ties never depend on how a
sort happened to order them; each request brings its own uniform numbers. A row of logits goes through these
steps, in vLLM's order, in float32:

1. Bans, to -inf. `min_tokens`: until so many tokens were drawn, those that would end the text (`ending`).
   `no_repeat_ngram_size` n: each token that would repeat n tokens in a row of prompt and output (Hugging
   Face's rule; 1: none comes twice). Bans that would leave no token at all are lifted, all of them.
2. `logit_bias`: added to the logits of these tokens.
3. `repetition_penalty` r, of each token that prompt or output has (Keskar et al. 2019; Hugging Face's rule):
   a logit below 0 is multiplied by r, any other divided by it.
4. `frequency_penalty` times how often the output has a token is taken off its logit, then `presence_penalty`
   if it has it at all (OpenAI's rules: of the output alone).
5. `temperature` below 1e-5: the best token, the first of equals. Otherwise logits are divided by it.
6. `min_p`: tokens less likely than min_p times the best one are cut: those whose logit is more than
   -ln(min_p) below the best one's. 0 cuts none.
7. `top_k`: logits below the k-th best are cut; its equals stay.
8. `top_p`: the most likely tokens whose sum first reaches top_p of what is left stay, and equals of the last.
9. One uniform number of the request's own generator, used or not, picks among what is left, in order of ids.

A row whose best score is no finite number draws nothing, and costs no other row its draw.
Each operation rounds by itself (no fused multiply and add), so that backends agree on ties.
What ends a text is not decided here: the end token and `stop_token_ids` do, the first not with `ignore_eos`.
"""

from __future__ import annotations

import math
import random
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

GREEDY_BELOW = 1e-5  # of temperature, as in vLLM
UNDRAWN = -1  # in place of a token, for a row that nothing can be drawn from
CUTS = struct.Struct("dffi4x")  # `Cuts` in kernels/sampling.cpp
MOST = 2**31 - 1  # of 32 bits with a sign


@dataclass(slots=True)
class Sampler:
    """How one request draws its tokens; holds the request's only generator, and what it has drawn so far."""

    seed: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram_size: int = 0  # 0: may repeat
    logit_bias: Mapping[int, float] = field(default_factory=dict)  # by token id
    min_tokens: int = 0
    ending: frozenset[int] = frozenset()  # ids that would end the text
    prompt: Sequence[int] = ()  # all of it, what the window has no room for included
    counts: dict[int, int] = field(init=False, default_factory=dict)  # of each token that was drawn
    num_drawn: int = field(init=False, default=0)
    _seen: dict[int, None] = field(init=False)
    _newest: tuple[int, ...] = field(init=False, default=())  # the last n - 1 tokens
    _followers: dict[tuple[int, ...], set[int]] = field(init=False)  # of each n - 1 tokens in a row
    _always_adjusts: bool = field(init=False)
    _generator: random.Random | None = field(init=False, default=None)
    _uniform: float | None = field(init=False, default=None)
    _cuts: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self._seen = dict.fromkeys(self.prompt)
        self._followers = defaultdict(set)
        for token in self.prompt if self.no_repeat_ngram_size else ():
            self._follow(token)
        is_penalised = self.repetition_penalty != 1 or self.presence_penalty or self.frequency_penalty
        self._always_adjusts = bool(is_penalised or self.no_repeat_ngram_size or self.logit_bias)

    @property
    def uniform(self) -> float:
        """The number that the next draw takes, however often it is tried."""
        if self._uniform is None:
            # Made when a number is wanted: a device draws without it, and to make it takes a while.
            self._generator = random.Random(self.seed)
            self._uniform = self._generator.random()
        return self._uniform

    @property
    def is_greedy(self) -> bool:
        return self.temperature < GREEDY_BELOW

    @property
    def lowest_gap(self) -> float:
        """How far below the best score `min_p` cuts: its logarithm, at most 0."""
        return math.log(self.min_p) if self.min_p > 0 else -math.inf

    @property
    def adjusts(self) -> bool:
        """Whether any of the steps 1 to 4 may change a logit."""
        return self._always_adjusts or self.num_drawn < self.min_tokens

    @property
    def cuts(self) -> bytes:
        """Steps 5 to 8, as the compiled kernel takes them."""
        if not self._cuts:
            temperature = 0.0 if self.is_greedy else self.temperature
            top_k = MOST if self.top_k is None else min(self.top_k, MOST)
            self._cuts = CUTS.pack(self.top_p, temperature, self.lowest_gap, top_k)
        return self._cuts

    def record(self, token: int) -> None:
        """Note a token that was drawn: the next draws depend on it, and take the next numbers."""
        _ = self.uniform  # that draw's number is gone, even if nobody took it
        assert self._generator is not None
        self._uniform = self._generator.random()
        self.num_drawn += 1
        self.counts[token] = self.counts.get(token, 0) + 1
        if self.repetition_penalty != 1:
            self._seen[token] = None
        if self.no_repeat_ngram_size:
            self._follow(token)

    def banned(self) -> set[int]:
        """The tokens that step 1 bans now."""
        banned = set(self.ending) if self.num_drawn < self.min_tokens else set()
        if self.no_repeat_ngram_size and len(self._newest) == self.no_repeat_ngram_size - 1:
            banned |= self._followers.get(self._newest, set())
        return banned

    def adjust(self, row: Tensor) -> None:
        """Steps 1 to 4, in place, on float32 logits (vocabulary,)."""
        banned = self.banned()
        if len(banned) < len(row):
            row[_index(banned, row)] = -torch.inf
        if self.logit_bias:
            row[_index(self.logit_bias, row)] += _floats(self.logit_bias.values(), row)
        if self.repetition_penalty != 1:
            seen = _index(self._seen, row)
            logits = row[seen]
            row[seen] = torch.where(
                logits < 0, logits * self.repetition_penalty, logits / self.repetition_penalty
            )
        if self.frequency_penalty or self.presence_penalty:
            drawn = _index(self.counts, row)
            row[drawn] -= _floats(self.counts.values(), row) * self.frequency_penalty
            row[drawn] -= self.presence_penalty

    def _follow(self, token: int) -> None:
        length = self.no_repeat_ngram_size - 1
        if len(self._newest) == length:
            self._followers[self._newest].add(token)
        self._newest = (*self._newest, token)[-length:] if length else ()


def _index(tokens: Iterable[int], row: Tensor) -> Tensor:
    return torch.tensor(list(tokens), dtype=torch.long, device=row.device)


def _floats(values: Iterable[float], row: Tensor) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float32, device=row.device)


def adjusted(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """Steps 1 to 4 of `logits` (n, vocabulary): a float32 copy, or the same where no row has any."""
    rows = [row for row, sampler in enumerate(samplers) if sampler.adjusts]
    if not rows:
        return logits
    logits = logits.to(torch.float32, copy=True)
    for row in rows:
        samplers[row].adjust(logits[row])
    return logits


def probabilities(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    """Steps 5 to 8 of adjusted `logits`: what is drawn from, float64 (n, vocabulary), not summing to 1."""
    scores = logits.float() / _temperatures(samplers, logits)[:, None]
    scores = _keep_min_p(scores, [sampler.lowest_gap for sampler in samplers])
    scores = _keep_top_k(scores, [sampler.top_k for sampler in samplers])
    return _keep_top_p(torch.softmax(scores, -1).double(), [sampler.top_p for sampler in samplers])


def choose(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """Draw one token id per row of `logits` (n, vocabulary), or `UNDRAWN`, by each sampler's number.

    The caller records what was drawn with each sampler whose request goes on.
    """
    logits = adjusted(logits, samplers)
    best, greedy = logits.float().max(-1)
    is_sound = (best / _temperatures(samplers, logits)).isfinite()  # not of one that has NaN: max keeps it
    if all(sampler.is_greedy for sampler in samplers):
        return torch.where(is_sound, greedy, UNDRAWN).tolist()
    uniform = torch.tensor([sampler.uniform for sampler in samplers], dtype=torch.float64)
    steps = probabilities(logits, samplers).cumsum(-1)
    total = steps[:, -1:]
    # Rounding must not carry a draw onto the total itself, where no token with any probability stands.
    target = torch.minimum(
        uniform[:, None].to(total) * total, torch.nextafter(total, torch.zeros_like(total))
    )
    drawn = torch.searchsorted(steps, target, right=True)[:, 0]
    is_greedy = torch.tensor([sampler.is_greedy for sampler in samplers], device=logits.device)
    return torch.where(is_sound, torch.where(is_greedy, greedy, drawn), UNDRAWN).tolist()


def _temperatures(samplers: Sequence[Sampler], logits: Tensor) -> Tensor:
    divisors = [1.0 if sampler.is_greedy else sampler.temperature for sampler in samplers]
    return torch.tensor(divisors, device=logits.device)


def _keep_min_p(scores: Tensor, gaps: Sequence[float]) -> Tensor:
    """Scores further below a row's best than its gap become -inf."""
    if all(gap == -math.inf for gap in gaps):
        return scores
    gap = torch.tensor(gaps, device=scores.device, dtype=scores.dtype)
    below = scores - scores.max(-1, keepdim=True).values
    return scores.masked_fill(below < gap[:, None], -torch.inf)


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
