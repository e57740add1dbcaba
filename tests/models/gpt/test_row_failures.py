"""A request that fails in the engine fails alone: neighbours keep their texts, and it leaves a clean slot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from harness.device import TEST_DEVICE
from models.gpt.engine import TextEngine, TextEvent
from models.gpt.kernel import load_kernel
from models.gpt.request import TextRequest
from models.gpt.sampling import Sampler
from models.gpt.tokenizer import CharacterTokenizer
from tests.models.gpt.small import ALPHABET, complete, make_network, text_of

POISON = "Z"  # what the network makes of it is no number
WITHOUT: dict[str, Any] = {"max_tokens": 30, "logit_bias": {ALPHABET.index(POISON): -100.0}}
GOOD = [TextRequest("hear me speak", seed=1, **WITHOUT), TextRequest("I am", 2, temperature=0, **WITHOUT)]
MANY = {"max_tokens": 30, "prompt_logprobs": 2, "logprobs": 1, "no_repeat_ngram_size": 3}


@pytest.fixture(scope="module", params=["eager", "kernel", "device"])
def engine(request: pytest.FixtureRequest) -> TextEngine:
    network = make_network(len(ALPHABET), tied=False)
    network.embedding.weight[ALPHABET.index(POISON)] = torch.nan
    tokenizer, kernel = CharacterTokenizer(ALPHABET), None
    if request.param == "kernel" and (kernel := load_kernel()) is None:
        pytest.skip("needs the compiled kernel: python -m models.build --here")
    if request.param == "device":
        return TextEngine(network.to(TEST_DEVICE), tokenizer, 3, draws_on_device=True)
    return TextEngine(network, tokenizer, 3, kernel=kernel)


def run(engine: TextEngine, *requests: TextRequest) -> list[list[TextEvent]]:
    """All at once, to their ends."""
    events: list[list[TextEvent]] = [[] for _ in requests]
    for key, request in enumerate(requests):
        engine.admit(key, request)
    while engine.num_running:
        for event in engine.step():
            events[event.key].append(event)
    return events


@pytest.mark.parametrize("changes", [{}, {"temperature": 0.0}, {"temperature": 1e-40}, MANY], ids=str)
def test_a_row_of_no_numbers_fails_alone(engine: TextEngine, changes: dict[str, Any]) -> None:
    wanted = [text_of(complete(engine, request)) for request in GOOD]
    bad = replace(TextRequest("hear me" + POISON, seed=3), **changes)
    for _ in range(3):  # each slot is had by each in turn
        first, failed, second = run(engine, GOOD[0], bad, GOOD[1])
        assert [text_of(first), text_of(second)] == wanted
        assert isinstance(failed[-1].error, RuntimeError)
        assert "no finite numbers" in str(failed[-1].error)
        assert [event.finish_reason for event in failed] == [None] * len(failed)
        assert engine.num_running == 0


def test_a_slot_is_as_good_as_new_after_it(engine: TextEngine) -> None:
    """What a slot's last owner left in its cache is masked, and masked NaN is NaN."""
    wanted = text_of(complete(engine, GOOD[0]))
    long = TextRequest("hear me speak, " + POISON * 12, seed=3)
    for _ in range(2):
        run(engine, long, long, long)
        for events in run(engine, GOOD[0], GOOD[0], GOOD[0]):
            assert text_of(events) == wanted
            assert events[-1].finish_reason == "length"


@pytest.mark.parametrize("part", ["_logprob", "_advance"])
def test_whatever_a_row_raises_is_its_own(
    engine: TextEngine, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = text_of(complete(engine, GOOD[0]))
    inner = getattr(engine, part)

    def fails(*arguments: Any) -> Any:
        if part == "_logprob" or arguments[0].request.logprobs is not None:
            raise MemoryError("as asked")
        return inner(*arguments)

    monkeypatch.setattr(engine, part, fails)
    unlucky = replace(GOOD[1], logprobs=1, prompt_logprobs=1 if part == "_logprob" else None)
    good, failed = run(engine, GOOD[0], unlucky)
    assert text_of(good) == wanted
    assert isinstance(failed[-1].error, MemoryError)
    assert len(failed) == 1


def test_a_sampler_that_raises_costs_its_own_row_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' draws are tried again, each by itself, with the numbers that they would have had."""
    engine = TextEngine(make_network(len(ALPHABET)), CharacterTokenizer(ALPHABET), 3)
    wanted = [text_of(complete(engine, request)) for request in GOOD]
    sampler = engine._sampler(TextRequest("a", seed=9, logit_bias={0: 1.0}), [1])

    adjust = Sampler.adjust

    def adjust_others(one: Sampler, row: torch.Tensor) -> None:
        if one is sampler:
            raise IndexError("as asked")
        adjust(one, row)

    monkeypatch.setattr(Sampler, "adjust", adjust_others)
    make = engine._sampler
    monkeypatch.setattr(
        engine, "_sampler", lambda one, prompt: sampler if one.seed == 9 else make(one, prompt)
    )
    first, failed, second = run(engine, GOOD[0], TextRequest("a", seed=9), GOOD[1])
    assert [text_of(first), text_of(second)] == wanted
    assert isinstance(failed[-1].error, IndexError)
