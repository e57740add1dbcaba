"""Same request, same seed: the same bits, alone or among others that join, leave and are dropped."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from models.gpt.decoding import Decoder
from models.gpt.determinism import is_row_invariant
from models.gpt.engine import TextEngine, TextEvent
from models.gpt.request import TextRequest
from tests.models.gpt.small import GPT2, complete, make_engine, make_network

Outcome = tuple[str, str | None, tuple[Any, ...]]


def make_requests(count: int, chance: random.Random) -> list[TextRequest]:
    """Requests of every sort; many run past the window of 32 tokens."""
    words = ["hear me", "O ", "KING", "", "thou art a villain, and more than that a fool and a knave, sir"]
    return [
        TextRequest(
            prompt=chance.choice(words),
            seed=chance.randrange(2**53),
            max_tokens=chance.randint(1, 70),
            max_characters=chance.choice([None, None, 20]),
            temperature=chance.choice([0.0, 0.5, 0.8, 1.3, 2.0]),
            top_k=chance.choice([None, 1, 5, 20, 1000]),
            top_p=chance.choice([1.0, 0.9, 0.5, 0.05]),
            stop=chance.choice([(), ("e",), ("th", "Q\n"), ("xyzzy",)]),
            logprobs=chance.choice([None, 0, 3]),
            prompt_logprobs=chance.choice([None, None, 1]),
            min_p=chance.choice([0.0, 0.0, 0.1]),
            repetition_penalty=chance.choice([1.0, 1.0, 1.2]),
            presence_penalty=chance.choice([0.0, 0.0, 0.5]),
            frequency_penalty=chance.choice([0.0, 0.0, 0.3]),
            no_repeat_ngram_size=chance.choice([0, 0, 2]),
            logit_bias=chance.choice([{}, {5: 2.0}]),
            min_tokens=chance.choice([0, 0, 10]),
            stop_token_ids=chance.choice([(), (5,)]),
        )
        for _ in range(count)
    ]


def outcome(events: list[TextEvent]) -> Outcome:
    logprobs = tuple(
        (item.token, item.logprob, tuple(item.top)) for event in events for item in event.logprobs
    )
    scores = tuple(
        (one.token, one.logprob, tuple(one.top)) for event in events for one in event.prompt_logprobs or ()
    )
    return "".join(event.text for event in events), events[-1].finish_reason, (*logprobs, *scores)


def run_crowd(engine: TextEngine, requests: list[TextRequest], chance: random.Random) -> dict[int, Outcome]:
    """Admit at random moments, drop every eighth request somewhere on its way; outcomes of those that end."""
    events: dict[int, list[TextEvent]] = {key: [] for key in range(len(requests))}
    waiting, doomed = list(events), {key for key in events if key % 8 == 5}
    while waiting or engine.num_running:
        while waiting and engine.num_running < engine.max_slots and chance.random() < 0.6:
            key = waiting.pop(0)
            engine.admit(key, requests[key])
        for event in engine.step():
            events[event.key].append(event)
        for key in [key for key in doomed if events[key] and chance.random() < 0.2]:
            engine.drop(key)
            doomed.remove(key)
            del events[key]
    return {key: outcome(given) for key, given in events.items() if given[-1].finish_reason}


@pytest.mark.parametrize(
    "shape",
    [
        {"max_slots": 13},
        {"max_slots": 20, "is_bpe": True, "heads": 2, "kv_heads": 1, "max_seq_len": 160},
        {"max_slots": 9, **GPT2},
    ],
    ids=["rope", "bpe", "learned"],
)
def test_texts_do_not_depend_on_neighbours(shape: dict[str, Any]) -> None:
    chance = random.Random(1)
    requests = make_requests(60, chance)
    engine = make_engine(**shape)
    assert engine.describe()["determinism"] == "bitwise"
    crowd = run_crowd(engine, requests, chance)
    assert len(crowd) > 50
    for key, given in crowd.items():
        assert given == outcome(complete(engine, requests[key])), requests[key]


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_do_not_depend_on_the_batch_with_any_number_of_threads(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert is_row_invariant(Decoder(make_network(300, hidden_size=128, heads=2, max_seq_len=256), 32))
    finally:
        torch.set_num_threads(before)


def test_a_decoder_whose_bits_depend_on_neighbours_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(make_network(60), 16)
    assert is_row_invariant(decoder)
    honest = decoder.read_singles

    def crooked(slots: list[int], positions: list[int], tokens: list[int]) -> torch.Tensor:
        return honest(slots, positions, tokens) * (1 + 1e-7 * (len(slots) > 8))

    monkeypatch.setattr(decoder, "read_singles", crooked)
    assert not is_row_invariant(decoder)
    assert all(not tensor.any() for tensor in decoder.backend.cache.keys)
