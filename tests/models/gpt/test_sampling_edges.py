"""The ends of every sampling field's range, on every backend, beside float64; rows that are no numbers."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.device import TEST_DEVICE
from models.build import build, find_compiler, instruction_sets
from models.gpt.device.adjusting import Tables
from models.gpt.device.control import WORDS, Control, new_record
from models.gpt.device.control import empty_records as empty
from models.gpt.device.drawing import draw
from models.gpt.kernel import Kernel, load_kernel
from models.gpt.sampling import UNDRAWN, Sampler, choose
from tests.models.gpt.sampling_reference import adjusted_scores, reference

VOCABULARY = 25
Choose = Callable[[Tensor, Sequence[Sampler]], list[int]]

OFF: dict[str, Any] = {
    "temperature": 1.0,
    "top_k": None,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "no_repeat_ngram_size": 0,
    "logit_bias": {},
    "min_tokens": 0,
    "ending": frozenset(),
}
SMALLEST, ALMOST_ONE = 5e-324, math.nextafter(1, 0)
EDGES: dict[str, list[Any]] = {
    "temperature": [0.0, SMALLEST, 1e-40, math.nextafter(1e-5, 0), 1e-5, 1e-3, 2.0],
    "top_k": [1, 2, VOCABULARY - 1, VOCABULARY, VOCABULARY + 1, 2**31 - 1],
    "top_p": [SMALLEST, 1e-300, 1e-40, 1e-8, ALMOST_ONE],
    "min_p": [SMALLEST, 1e-300, 1e-40, 1e-8, ALMOST_ONE, 1.0],
    "repetition_penalty": [0.1, 10.0],
    "presence_penalty": [-2.0, 2.0, 1e-3],
    "frequency_penalty": [-2.0, 2.0, 1e-3],
    "no_repeat_ngram_size": [1, 2, 64],
    "logit_bias": [{0: 100.0}, {3: -100.0, 5: 100}, dict.fromkeys(range(VOCABULARY), -100.0), {1: 1e-3}],
    "min_tokens": [1, 4096],
    "ending": [frozenset({4}), frozenset(range(VOCABULARY)), frozenset(range(VOCABULARY - 1))],
}
HISTORY = [1, 2, 3, 1], [2, 2, 5]  # tokens of the prompt, and those drawn since
UNIFORMS = [0.0, 2.0**-52, 0.1, 0.37, 0.5, 0.83, 0.999, 1 - 2.0**-52]


def cases() -> list[dict[str, Any]]:
    """Every edge by itself, and several together."""
    chance = random.Random(1)
    alone = [{**OFF, name: value} for name, values in EDGES.items() for value in values]
    together = [
        {**OFF, **{name: chance.choice(values) for name, values in EDGES.items() if chance.random() < 0.4}}
        for _ in range(60)
    ]
    return alone + together


def rows_of_logits() -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    lively = torch.randn(VOCABULARY, generator=generator) * 3
    return [
        lively,
        torch.zeros(VOCABULARY),
        lively.sign() * 1e4 + torch.randn(VOCABULARY, generator=generator) * 1e-2,
        torch.where(torch.arange(VOCABULARY) % 3 == 0, lively, -torch.inf),
        lively * 1e-2,
    ]


def by_kernel(folder: Any) -> Choose:
    if (ready := load_kernel()) is not None:
        return ready.choose
    compiler, levels = find_compiler(), instruction_sets()
    if compiler is None or not levels:
        pytest.skip("needs a C++ compiler, and a processor that there is a kernel for")
    return Kernel(build(compiler, levels[0], folder)).choose


def by_device(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """As the device does it: a record a row, and tables of what each request says of each token."""
    tables, records = Tables(len(samplers), VOCABULARY, torch.device(TEST_DEVICE)), empty(len(samplers))
    for row, sampler in enumerate(samplers):
        records[row] = new_record(sampler, VOCABULARY)
        records[row]["uniforms"][0], records[row]["draw"] = sampler.uniform, sampler.num_drawn
        tables.fill(row, sampler)
        drawn = [token for token, count in sampler.counts.items() for _ in range(count)]
        tables.note(
            torch.full((len(drawn),), row).to(TEST_DEVICE), torch.tensor(drawn).long().to(TEST_DEVICE)
        )
        tables.ban(row, sampler.banned() if sampler.no_repeat_ngram_size else ())
    control = Control(torch.from_numpy(records.view(np.int32)).view(-1, WORDS).to(TEST_DEVICE))
    found = draw(tables.adjust(logits.to(TEST_DEVICE), control), control, has_cuts=True).tolist()
    return [UNDRAWN if token == VOCABULARY else token for token in found]


@pytest.fixture(scope="module", params=["eager", "kernel", "device"])
def choose_by(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Choose:
    match request.param:
        case "kernel":
            return by_kernel(tmp_path_factory.mktemp("compiled"))
        case "device":
            return by_device
        case _:
            return choose


def make_sampler(fields: dict[str, Any], uniform: float) -> Sampler:
    sampler = Sampler(0, prompt=HISTORY[0], **fields)
    for token in HISTORY[1]:
        sampler.record(token)
    sampler._uniform = uniform
    return sampler


def is_right(drawn: int, uniform: float, chances: list[float], error: float) -> bool:
    """Whether a token may be drawn, and its share of all reaches over ``uniform``, give or take rounding."""
    before = sum(chances[:drawn])
    return chances[drawn] > 0 and before - error <= uniform <= before + chances[drawn] + error


def test_every_edge_means_what_float64_says(choose_by: Choose) -> None:
    chosen = list(itertools.product(rows_of_logits(), cases()))
    samplers = [make_sampler(fields, uniform) for _, fields in chosen for uniform in UNIFORMS]
    rows = torch.stack([logits for logits, _ in chosen]).repeat_interleave(len(UNIFORMS), 0)
    drawn = iter(choose_by(rows, samplers))
    for logits, fields in chosen:
        tokens = [next(drawn) for _ in UNIFORMS]
        chances = reference(logits.tolist(), *HISTORY, fields)
        if fields["temperature"] < 1e-5:
            assert set(tokens) == {chances.index(1.0)}, fields
            continue
        scores = adjusted_scores(logits.tolist(), *HISTORY, fields)
        largest = max(abs(score) for score in scores if score > -math.inf) / fields["temperature"]
        error = 1e-5 + 3e-7 * largest  # of float32, in the exponent
        for token, uniform in zip(tokens, UNIFORMS, strict=True):
            assert is_right(token, uniform, chances, error), (fields, uniform, token, chances)


@pytest.mark.parametrize("temperature", [0.0, 1e-40, 1.0])
def test_a_row_of_no_numbers_is_not_drawn_and_costs_no_other(choose_by: Choose, temperature: float) -> None:
    fields = {**OFF, "temperature": temperature}
    good = torch.randn(4, VOCABULARY, generator=torch.Generator().manual_seed(3))
    wanted = choose_by(good, [make_sampler(fields, 0.5) for _ in good])
    bad = good.clone()
    bad[0, 0] = bad[1, -1] = torch.nan
    bad[2, 7] = torch.inf
    bad[3] = -torch.inf
    rows = torch.stack([good, bad], 1).flatten(0, 1)  # take turns
    given = choose_by(rows, [make_sampler(fields, 0.5) for _ in rows])
    assert given[::2] == wanted
    assert given[1::2] == [UNDRAWN] * 4


def test_scores_too_large_for_their_numbers_are_not_drawn(choose_by: Choose) -> None:
    logits = torch.full((1, VOCABULARY), 1e38)
    assert choose_by(logits, [make_sampler({**OFF, "temperature": 1e-3}, 0.5)]) == [UNDRAWN]
    assert choose_by(logits, [make_sampler({**OFF, "temperature": 1e-6}, 0.5)]) == [0]


def test_choosing_again_gives_the_same(choose_by: Choose) -> None:
    logits = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(4))
    sampler = Sampler(7)
    first = choose_by(logits, [sampler])
    assert choose_by(logits, [sampler]) == first
    numbers = [sampler.uniform]
    for _ in range(3):
        sampler.record(0)
        numbers.append(sampler.uniform)
    assert numbers == [random_numbers.random() for random_numbers in [random.Random(7)] for _ in range(4)]
