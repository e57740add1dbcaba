"""Drawing tokens: the right distribution, exact cuts, one generator per request."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from models.gpt.sampling import Sampler, adjusted, choose, log_probabilities, probabilities
from tests.models.gpt.sampling_reference import reference

LOGITS = torch.tensor([2.0, 1.0, 0.5, -1.0, -torch.inf])


def draw(count: int, seed: int = 0, **changes: float | int | None) -> torch.Tensor:
    """Relative frequencies of `count` draws from LOGITS."""
    sampler = Sampler(seed, **changes)  # type: ignore[arg-type]
    tokens = []
    for _ in range(count):
        tokens += choose(LOGITS[None], [sampler])
        sampler.record(tokens[-1])
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
        for token, *both in zip(given, together, alone, strict=True):
            for sampler in both:
                sampler.record(token)


def test_log_probabilities_sum_to_one_and_come_best_first() -> None:
    chosen, top = log_probabilities(LOGITS, 1, 5)
    assert chosen == pytest.approx(torch.log_softmax(LOGITS, -1)[1].item())
    assert [token for token, _ in top] == [0, 1, 2, 3, 4]
    assert sum(torch.tensor(value).exp().item() for _, value in top) == pytest.approx(1)


def fields_of(chance: random.Random, vocabulary: int) -> dict[str, Any]:
    """Every field of a sampler, each off in about half of all cases."""
    return {
        "temperature": chance.choice([0.0, 1e-6, 0.3, 0.8, 1.0, 2.0]),
        "top_k": chance.choice([None, None, 1, 5, 20, 5000]),
        "top_p": chance.choice([1.0, 1.0, 0.9, 0.3]),
        "min_p": chance.choice([0.0, 0.0, 0.02, 0.3, 1.0]),
        "repetition_penalty": chance.choice([1.0, 1.0, 1.3, 0.7]),
        "presence_penalty": chance.choice([0.0, 0.0, 0.5, -1.0]),
        "frequency_penalty": chance.choice([0.0, 0.0, 0.7, -0.4]),
        "no_repeat_ngram_size": chance.choice([0, 0, 1, 2, 3]),
        "logit_bias": chance.choice([{}, {}, {3: 4.0, 1: -100.0}]),
        "min_tokens": chance.choice([0, 0, 4, 40]),
        "ending": chance.choice([frozenset(), frozenset({2}), frozenset(range(vocabulary))]),
    }


@pytest.mark.parametrize("vocabulary", [6, 50])
def test_every_field_means_what_the_reference_says(vocabulary: int) -> None:
    chance = random.Random(vocabulary)
    for seed in range(400):
        fields = fields_of(chance, vocabulary)
        prompt = [chance.randrange(vocabulary) for _ in range(chance.randrange(8))]
        output = [chance.randrange(vocabulary) for _ in range(chance.randrange(8))]
        sampler = Sampler(seed, prompt=prompt, **fields)
        for token in output:
            sampler.record(token)
        logits = torch.randn(1, vocabulary, generator=torch.Generator().manual_seed(seed)) * 3
        wanted = reference(logits[0].tolist(), prompt, output, fields)
        if sampler.is_greedy:
            assert choose(logits, [sampler]) == [wanted.index(1.0)], fields
            continue
        given = probabilities(adjusted(logits, [sampler]), [sampler])[0]
        torch.testing.assert_close(
            given / given.sum(), torch.tensor(wanted, dtype=torch.float64), atol=2e-6, rtol=0
        )


def test_fields_that_are_off_leave_logits_alone() -> None:
    assert adjusted(LOGITS[None], [Sampler(0, prompt=[1, 2])]).data_ptr() == LOGITS.data_ptr()


def test_raw_logits_stay_what_they_were() -> None:
    logits = LOGITS.clone()[None]
    choose(logits, [Sampler(0, logit_bias={0: -50.0}, repetition_penalty=2.0, prompt=[0, 1])])
    assert torch.equal(logits[0], LOGITS)
