"""Drawing on the device: the cuts asked for, the right frequencies, numbers of the request alone."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch

from harness.device import TEST_DEVICE
from models.gpt.device.adjusting import Tables
from models.gpt.device.control import MAX_STEPS, WORDS, Control, empty_records, new_record
from models.gpt.device.drawing import draw
from models.gpt.device.random_numbers import key_of, uniform
from models.gpt.sampling import Sampler, adjusted

VOCABULARY = 40


def make_control(count: int, **fields: Any) -> Control:
    """Records of `count` rows: row i has seed i and draws its first token."""
    records = empty_records(count)
    keys = np.array([key_of(seed) for seed in range(count)], np.uint64)
    records["uniforms"][:, 0] = uniform(keys, np.zeros(count, np.uint64))
    records["kth"] = VOCABULARY - 1
    for name, value in fields.items():
        records[name] = value
    records["is_greedy"] = records["temperature"] == 0
    records["temperature"][records["temperature"] == 0] = 1
    return Control(torch.from_numpy(records.view(np.int32)).view(count, WORDS).to(TEST_DEVICE))


def reference(
    logits: torch.Tensor, temperature: float, top_k: int, top_p: float, min_p: float
) -> list[float]:
    """Chances of each token, in float64 and plain Python."""
    scores = [value / temperature for value in logits.double().tolist()]
    gap = math.log(min_p) if min_p else -math.inf
    kth = sorted(scores, reverse=True)[top_k - 1]
    kept = [score for score in scores if score - max(scores) >= gap and score >= kth]
    total = sum(math.exp(score) for score in kept)
    so_far, threshold = 0.0, max(kept)
    for score in sorted(kept, reverse=True):
        if so_far >= top_p:
            break
        so_far, threshold = so_far + math.exp(score) / total, score
    weights = [math.exp(score) if score in kept and score >= threshold else 0.0 for score in scores]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("top_k", [1, 5, VOCABULARY])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.3])
@pytest.mark.parametrize("min_p", [0.0, 0.05])
@pytest.mark.parametrize("temperature", [0.5, 1.3])
def test_frequencies_are_the_references(top_k: int, top_p: float, min_p: float, temperature: float) -> None:
    count = 20_000
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3))
    chances = torch.tensor(reference(logits, temperature, top_k, top_p, min_p))
    control = make_control(
        count,
        temperature=temperature,
        kth=top_k - 1,
        top_p=top_p if top_p < 1 else 2,
        lowest_gap=math.log(min_p) if min_p else -math.inf,
    )
    drawn = draw(logits.to(TEST_DEVICE).expand(count, -1), control, has_cuts=True).cpu()
    found = torch.bincount(drawn, minlength=VOCABULARY) / count
    assert not found[chances == 0].any()
    assert (found > 0)[chances > 0.01].all()
    spread = (chances * (1 - chances) / count).sqrt()
    assert ((found - chances).abs() <= 5 * spread + 1e-4).all()


def test_rows_have_their_own_fields_and_equals_stay() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0, 2.0] + [-5.0] * 36]).repeat(4000, 1)
    kinds = np.arange(4000) % 4
    control = make_control(
        4000,
        temperature=np.choose(kinds, [0.0, 1.0, 1.0, 1.0]),
        kth=np.choose(kinds, [39, 0, 39, 39]),
        top_p=np.choose(kinds, [2.0, 2.0, 0.1, 2.0]),
    )
    drawn = draw(logits.to(TEST_DEVICE), control, has_cuts=True).cpu().numpy()
    assert set(drawn[kinds == 0]) == {1}  # greedy: the first of equals
    assert set(drawn[kinds == 1]) == {1, 2}
    assert set(drawn[kinds == 2]) == {1, 2}
    assert set(drawn[kinds == 3]) > {0, 1, 2, 3}


def test_without_cuts_the_draw_is_the_same() -> None:
    logits = torch.randn(500, VOCABULARY, generator=torch.Generator().manual_seed(0)).to(TEST_DEVICE)
    control = make_control(500, temperature=0.8)
    assert torch.equal(draw(logits, control, has_cuts=True), draw(logits, control, has_cuts=False))


def test_adjusted_logits_are_the_hosts_bit_for_bit() -> None:
    chance = random.Random(5)
    generator = torch.Generator().manual_seed(5)
    tables = Tables(30, VOCABULARY, torch.device(TEST_DEVICE))
    records = empty_records(30)
    samplers = [some_sampler(chance) for _ in range(30)]
    for slot, sampler in enumerate(samplers):
        records[slot] = new_record(sampler, VOCABULARY)
        tables.fill(slot, some_sampler(chance))  # an earlier request's
        tables.fill(slot, sampler)
    for _ in range(12):
        logits = torch.randn(30, VOCABULARY, generator=generator) * 3
        for slot, sampler in enumerate(samplers):
            if sampler.no_repeat_ngram_size:
                tables.ban(slot, sampler.banned())
        control = Control(torch.from_numpy(records.view(np.int32)).view(30, WORDS).to(TEST_DEVICE))
        found = tables.adjust(logits.to(TEST_DEVICE), control).cpu()
        assert torch.equal(found, adjusted(logits, samplers))
        tokens = [chance.randrange(VOCABULARY) for _ in samplers]
        tables.note(torch.arange(30, device=TEST_DEVICE), torch.tensor(tokens, device=TEST_DEVICE))
        records["draw"] += 1
        for sampler, token in zip(samplers, tokens, strict=True):
            sampler.record(token)


def some_sampler(chance: random.Random) -> Sampler:
    return Sampler(
        0,
        repetition_penalty=chance.choice([1.0, 1.3, 0.8]),
        presence_penalty=chance.choice([0.0, 0.7, -0.5]),
        frequency_penalty=chance.choice([0.0, 0.3, -0.2]),
        no_repeat_ngram_size=chance.choice([0, 1, 2]),
        logit_bias=chance.choice([{}, {3: 2.5, 7: -100.0}]),
        min_tokens=chance.choice([0, 5]),
        ending=frozenset(chance.choice([(), (4, 9), range(VOCABULARY)])),
        prompt=[chance.randrange(VOCABULARY) for _ in range(chance.randrange(1, 9))],
    )


def test_a_later_step_has_its_own_number() -> None:
    numbers = [(1 + step) / 10 for step in range(MAX_STEPS)]
    control = make_control(3, uniforms=[numbers] * 3, is_active=[1, 0, 1])
    before = control.draw.tolist()
    control.move_on()
    control.move_on()
    assert control.uniform()[:, 0].tolist() == [0.3, 0.1, 0.3]
    assert [now - then for now, then in zip(control.draw.tolist(), before, strict=True)] == [2, 0, 2]
    assert control.position.tolist() == [2, 0, 2]


def test_numbers_are_even_and_independent_of_neighbours() -> None:
    keys = np.array([key_of(seed) for seed in range(300)], np.uint64)
    counters = np.arange(1000, dtype=np.uint64)
    numbers = uniform(keys, counters[:, None])  # (draw, seed)
    assert ((numbers >= 0) & (numbers < 1)).all()
    shares = np.histogram(numbers, 20, (0, 1))[0] / numbers.size
    assert np.abs(shares - 0.05).max() < 0.002
    # No seed's stream follows another's, nor a draw the one before it.
    for one, other in ((numbers[:, 0], numbers[:, 1]), (numbers[:-1, 5], numbers[1:, 5])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.15
    assert uniform(keys[7:8], counters[123:124])[0] == numbers[123, 7]


@pytest.mark.parametrize("seed", [0, 1, 2**53 - 1, 2**64 - 1])
def test_numbers_equal_splitmix64_in_whole_numbers(seed: int) -> None:
    mask = 2**64 - 1

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    key = np.array([key_of(seed)], np.uint64)
    for counter in (0, 1, 77, 2**31 - 1):
        z = mix((key_of(seed) + counter * 0x9E3779B97F4A7C15) & mask)
        assert uniform(key, np.array([counter], np.uint64))[0] == (z >> 12) / 2**52


def test_the_largest_number_draws_the_last_token_that_has_a_chance() -> None:
    logits = torch.randn(4000, VOCABULARY, generator=torch.Generator().manual_seed(1))
    control = make_control(4000, uniforms=1 - 2.0**-52)
    drawn = draw(logits.to(TEST_DEVICE), control, has_cuts=False).cpu()
    assert set(drawn.tolist()) == {VOCABULARY - 1}
    cut = draw(logits.to(TEST_DEVICE), make_control(4000, uniforms=1 - 2.0**-52, kth=0), has_cuts=True).cpu()
    assert torch.equal(cut, logits.argmax(-1))


def test_a_record_says_what_its_request_asks_for() -> None:
    records = empty_records(1)
    records[0] = new_record(
        Sampler(3, 0.7, 5, 0.9, 0.1, 1.2, 0.3, 0.4, logit_bias={1: 1.0}, min_tokens=6), VOCABULARY
    )
    control = Control(torch.from_numpy(records.view(np.int32)).view(1, WORDS))
    said = {name: getattr(control, name).item() for name in ("kth", "min_tokens", "is_greedy", "adjusts")}
    assert said == {"kth": 4, "min_tokens": 6, "is_greedy": 0, "adjusts": 1}
    names = ("temperature", "top_p", "lowest_gap", "repetition", "presence", "frequency")
    found = [getattr(control, name).item() for name in names]
    assert found == pytest.approx([0.7, 0.9, math.log(0.1), 1.2, 0.3, 0.4], rel=1e-6)
    records[0] = new_record(Sampler(3, 0.0, None, 1.0), VOCABULARY)
    control = Control(torch.from_numpy(records.view(np.int32)).view(1, WORDS))
    said = {name: getattr(control, name).item() for name in ("kth", "is_greedy", "temperature", "top_p")}
    assert said == {"kth": VOCABULARY - 1, "is_greedy": 1, "temperature": 1, "top_p": 2}
