"""The cache against a reference that has none, within the window and past it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.gpt import prompt_queue
from models.gpt.decoding import Decoder
from models.gpt.kernel import load_kernel
from models.gpt.network import GPT, CausalAttention
from tests.models.gpt.small import GPT2, make_network

VOCABULARY = 60


def reference_logits(network: GPT, tokens: list[int], num_prompt: int) -> torch.Tensor:
    """Logits of the next token after all of `tokens`, computed from the tokens alone.

    Rotary: every token sees the last `context` tokens. Learned: a window that is full loses its older half.
    """
    context = network.config.max_seq_len
    first = max(0, num_prompt - context)  # of a long prompt only the end is read
    if network.config.positions == "rope":
        states = network(torch.tensor([tokens[first:]]), CausalAttention(window=context))
        return network.logits(states[:, -1])[0]
    window = tokens[first:num_prompt]
    for token in tokens[num_prompt:]:
        window.append(token)
        if len(window) > context:
            window = window[context // 2 :]
    return network.logits(network(torch.tensor([window]), CausalAttention())[:, -1])[0]


@pytest.mark.parametrize("num_prompt", [1, 7, 31, 32, 33, 80])
@pytest.mark.parametrize("shape", [{}, {"kv_heads": 1}, GPT2], ids=["rope", "one-kv-head", "learned"])
def test_logits_equal_a_cacheless_reference_past_the_window(shape: dict[str, Any], num_prompt: int) -> None:
    network = make_network(VOCABULARY, **shape)
    decoder = Decoder(network, 3)
    tokens = torch.randint(VOCABULARY, (num_prompt,), generator=torch.Generator().manual_seed(1)).tolist()
    neighbour, sequence = decoder.open([5, 6, 7]), decoder.open(list(tokens))
    for _ in range(90):
        ready, logits = decoder.step()
        for row, given in zip(ready, logits, strict=True):
            chosen = int(given.argmax())
            if row is sequence:
                torch.testing.assert_close(
                    given, reference_logits(network, tokens, num_prompt), atol=2e-4, rtol=0
                )
                tokens.append(chosen)
            row.push(chosen)
    assert len(tokens) > num_prompt + 80
    assert neighbour in ready


def test_long_prompts_are_read_in_chunks_and_do_not_stall_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_queue, "CHUNK", 8)
    monkeypatch.setattr(prompt_queue, "BUDGET", 16)
    network = make_network(VOCABULARY, max_seq_len=128)
    decoder = Decoder(network, 4)
    short = decoder.open([1])
    ready, logits = decoder.step()
    assert ready == [short]
    tokens = [i % VOCABULARY for i in range(60)]
    long = decoder.open(tokens)
    rounds = 0
    while long not in ready:
        short.push(3)
        ready, logits = decoder.step()
        assert short in ready
        rounds += 1
    assert rounds == 8  # 60 tokens, 8 in a chunk, one chunk a step
    torch.testing.assert_close(
        logits[ready.index(long)], reference_logits(network, tokens, 60), atol=2e-4, rtol=0
    )


def test_closed_slots_are_used_again() -> None:
    decoder = Decoder(make_network(VOCABULARY), 2)
    for _ in range(5):
        first, second = decoder.open([1, 2]), decoder.open([3])
        assert {first.slot, second.slot} == {0, 1}
        ready, _ = decoder.step()
        decoder.close(first)
        decoder.close(second)
        assert len(ready) == 2
    assert decoder.step()[0] == []


@pytest.mark.parametrize("shape", [{}, GPT2], ids=["rope", "learned"])
def test_where_clients_share_the_slots_steps_are_short_and_all_texts_are_as_they_were(
    shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = load_kernel()
    if kernel is None:
        pytest.skip("needs the compiled kernel: python -m models.build --here")
    network = make_network(VOCABULARY, **shape)
    decoder, alone = Decoder(network, 16, kernel), Decoder(network, 1, kernel)
    monkeypatch.setattr(decoder.backend, "short_step", 4)
    flood = [decoder.open([token + 1, token + 2], rank=token) for token in range(12)]
    told: list[list[torch.Tensor]] = [[] for _ in flood]
    for number in range(300):
        newcomer = decoder.open([40, 41, number % 50], rank=0) if number % 30 == 29 else None
        ready, logits = decoder.step()
        assert len(ready) <= 4
        assert newcomer is None or newcomer in ready
        for sequence, given in zip(ready, logits, strict=True):
            if sequence is newcomer:
                decoder.close(sequence)
            else:
                told[flood.index(sequence)].append(given)
                sequence.push(int(given.argmax()))
    counts = [len(given) for given in told]
    # One that reads half its window again sits out meanwhile.
    assert max(counts) - min(counts) <= (16 if shape else 2)
    assert min(counts) > 40  # prompts, new ones and those that are read again, leave them steps
    for index in (0, 11):
        sequence = alone.open([index + 1, index + 2])
        for given in told[index]:
            while not len(wanted := alone.step()[1]):
                pass
            assert torch.equal(wanted[0], given)
            sequence.push(int(given.argmax()))
        alone.close(sequence)
