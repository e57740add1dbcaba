"""The device's decoder against the network alone, and among others. On a CPU its graphs are plain calls."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from harness.device import TEST_DEVICE
from models.gpt.device import decoder as decoder_module
from models.gpt.device.control import MAX_STEPS
from models.gpt.device.decoder import DeviceDecoder, DeviceSequence
from models.gpt.request import TextRequest
from models.gpt.sampling import Sampler
from tests.models.gpt.small import GPT2, complete, make_engine, make_network, text_of
from tests.models.gpt.test_decoding import reference_logits
from tests.models.gpt.test_determinism import make_requests, outcome, run_crowd

VOCABULARY = 60
TOLERANCE = 2e-4 if TEST_DEVICE == "cpu" else 2e-3  # of logits in float32; a GPU sums in another order
GREEDY = Sampler(0, temperature=0)


def make_decoder(max_slots: int = 3, block_rows: int = 1, **shape: Any) -> DeviceDecoder:
    network = make_network(VOCABULARY, **shape).to(TEST_DEVICE)
    return DeviceDecoder(network, max_slots, block_rows=block_rows)


@pytest.mark.parametrize("block_rows", [1, 4])
@pytest.mark.parametrize("num_prompt", [1, 31, 32, 33, 80])
@pytest.mark.parametrize("shape", [{}, {"kv_heads": 1}, GPT2], ids=["rope", "one-kv-head", "learned"])
def test_logits_equal_a_cacheless_reference_past_the_window(
    shape: dict[str, Any], num_prompt: int, block_rows: int
) -> None:
    network, decoder = make_network(VOCABULARY, **shape), make_decoder(block_rows=block_rows, **shape)
    tokens = torch.randint(VOCABULARY, (num_prompt,), generator=torch.Generator().manual_seed(1)).tolist()
    neighbour, sequence = decoder.open([5, 6, 7], GREEDY, 200), decoder.open(list(tokens), GREEDY, 200)
    while len(tokens) < num_prompt + 70:
        for row, drawn, logits, _ in decoder.step(may_look=True):
            for token in drawn:
                row.push(token)
            if row is sequence:
                expected = reference_logits(network, tokens, num_prompt)
                torch.testing.assert_close(logits.cpu(), expected, atol=TOLERANCE, rtol=0)
                tokens += drawn
    assert neighbour.num_seen > 60


def test_what_runs_ahead_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bursts, and a step that was started before the last one's tokens came back, change no token."""
    drawn: dict[tuple[bool, int], list[int]] = {}
    monkeypatch.setattr(decoder_module, "BURSTS", ((3, 3), (2, 2), (0, 1)))
    for may_look in (True, False):
        decoder = make_decoder(5)
        sequences = [decoder.open([i, 7], Sampler(i), 20 + 3 * i) for i in range(4)]
        tokens: dict[Any, list[int]] = {sequence: [] for sequence in sequences}
        for _ in range(60):
            for sequence, some, *_ in decoder.step(may_look):
                tokens[sequence] += some
        drawn |= {(may_look, i): tokens[sequence] for i, sequence in enumerate(sequences)}
    for i in range(4):
        assert len(drawn[True, i]) == 20 + 3 * i
        assert drawn[True, i] == drawn[False, i]


def test_no_draw_runs_out_of_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans of as many steps as there are numbers, while others come and go: a GPU would not survive it."""
    monkeypatch.setattr(decoder_module, "BURSTS", ((0, MAX_STEPS),))
    decoder = make_decoder(5)
    control, run = decoder.launcher.passes.control, decoder.launcher.replays.run
    steps: list[int] = []

    def watch(key: Any) -> None:
        if key[0] == "draw":
            steps.append(int(control.step[: key[1]].max()))
        elif key[0] == "first":
            steps.append(int(control.step[decoder.launcher.prompts[key[1]].slots].max()))
        run(key)

    monkeypatch.setattr(decoder.launcher.replays, "run", watch)
    chance = random.Random(1)
    running: list[DeviceSequence] = []
    for turn in range(80):
        while len(running) < 5 and chance.random() < 0.7:
            sampler = Sampler(turn, min_tokens=chance.choice([0, 3]), top_k=chance.choice([None, 4]))
            running.append(decoder.open([turn % 9] * chance.randint(1, 40), sampler, chance.randint(1, 30)))
        if running and chance.random() < 0.3:
            decoder.close(running.pop(chance.randrange(len(running))))
        list(decoder.step(may_look=turn % 5 == 0))
        for sequence in [one for one in running if one.num_seen == one.max_draws]:
            decoder.close(sequence)
            running.remove(sequence)
    assert max(steps) == MAX_STEPS - 1


def test_what_was_drawn_after_the_end_is_thrown_away() -> None:
    decoder = make_decoder(2)
    first, other = decoder.open([1], Sampler(1), 50), decoder.open([2], Sampler(2), 50)
    for _ in range(5):
        list(decoder.step(may_look=False))
    decoder.close(first)  # while its next token is under way
    assert all(drawn.sequence is other for drawn in decoder.step(may_look=False))
    again = decoder.open([1], Sampler(1), 50)
    assert again.slot == 0
    tokens: list[int] = []
    while len(tokens) < 50:
        tokens += [t for s, some, *_ in decoder.step(may_look=False) if s is again for t in some]
    alone = make_decoder(2)
    only = alone.open([1], Sampler(1), 50)
    wanted: list[int] = []
    while len(wanted) < 50:
        wanted += [t for s, some, *_ in alone.step(may_look=False) if s is only for t in some]
    assert tokens == wanted


def test_a_slot_that_was_left_stays_as_it_is() -> None:
    """Its row is computed along with its neighbours' as long as they need the bucket, and writes nothing."""
    decoder = make_decoder(4)
    sequences = [decoder.open([1, 2, 3], Sampler(i), 30) for i in range(4)]
    for _ in range(4):
        list(decoder.step(may_look=True))
    decoder.close(sequences[3])
    list(decoder.step(may_look=True))
    before = [layer[3].clone() for layer in decoder.cache.keys]
    for _ in range(10):
        assert len(list(decoder.step(may_look=True))) == 3
    assert all(torch.equal(layer[3], kept) for layer, kept in zip(decoder.cache.keys, before, strict=True))


@pytest.mark.parametrize("looks", [True, False], ids=["in-step", "ahead"])
@pytest.mark.parametrize("shape", [{"max_slots": 13}, {"max_slots": 9, **GPT2}], ids=["rope", "learned"])
def test_texts_do_not_depend_on_neighbours(
    shape: dict[str, Any], looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_module, "BURSTS", ((6, 3), (3, 2), (0, 1)))
    chance = random.Random(1)
    requests = make_requests(60, chance)
    if not looks:
        requests = [replace(request, logprobs=None, no_repeat_ngram_size=0) for request in requests]
    engine = make_engine(draws_on_device=True, **shape)
    crowd = run_crowd(engine, requests, chance)
    assert len(crowd) > 50
    for key, given in crowd.items():
        alone = outcome(complete(engine, requests[key]))
        assert given[:2] == alone[:2], requests[key]


@pytest.mark.parametrize("shape", [{}, GPT2], ids=["rope", "learned"])
def test_greedy_texts_are_the_hosts_with_every_field(shape: dict[str, Any]) -> None:
    """Without chance, what the device draws with all bans, biases and penalties is what the host draws."""
    host, device = make_engine(**shape), make_engine(draws_on_device=True, **shape)
    texts = set()
    for request in make_requests(25, random.Random(3)):
        greedy = replace(request, temperature=0.0, logprobs=None)
        events = complete(device, greedy)
        assert outcome(events)[:2] == outcome(complete(host, greedy))[:2], greedy
        texts.add(text_of(events))
    assert len(texts) > 15


def test_logprobs_and_attention_are_the_hosts() -> None:
    request = TextRequest("hear me", seed=1, max_tokens=60, temperature=0, logprobs=3, attention=(0, 5))
    host = complete(make_engine(), request)
    device = complete(make_engine(draws_on_device=True), request)
    for one, other in zip(host, device, strict=True):
        assert one.text == other.text
        assert one.logprobs[0].logprob == pytest.approx(other.logprobs[0].logprob, abs=TOLERANCE)
        for mine, theirs in zip(one.attention, other.attention, strict=True):
            assert mine.context == theirs.context
            weights = [torch.tensor(given.weights) for given in (mine, theirs)]
            torch.testing.assert_close(*weights, atol=1e-3, rtol=0)


def test_a_network_taken_over_in_blocks_is_the_same_network() -> None:
    network = make_network(VOCABULARY, **GPT2)
    names = list(copy.deepcopy(network).state_dict())
    make_decoder_of = DeviceDecoder(network, 2, block_rows=4)
    assert list(make_decoder_of.network.state_dict()) == names
