"""Nats per character: every token once, in windows, over the number of characters."""

from __future__ import annotations

import math

import pytest
import torch

from models.gpt.config import GPTConfig
from models.gpt.decoding import Decoder
from models.gpt.network import GPT, CausalAttention
from models.gpt.tokenizer import CharacterTokenizer
from training.text.evaluate import (
    nats_per_character,
    nats_per_character_in_windows,
    scored_tokens,
    served_nats_per_character,
    sliding_nats_per_character,
)
from training.text.vocabulary import make_bpe

TEXT = "the cat sat on the mat\n" * 9
CONFIG = GPTConfig(
    training_data="",
    vocabulary=300,
    max_seq_len=16,
    num_layers=1,
    hidden_size=32,
    heads=2,
    kv_heads=1,
    mlp_width=64,
)


def make_network() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG).requires_grad_(False)


def test_a_model_that_knows_nothing_pays_the_logarithm_of_its_vocabulary() -> None:
    network = make_network()
    network.embedding.weight.zero_()
    tokenizer = make_bpe(TEXT, 300)
    per_token = len(tokenizer.encode(TEXT)) / len(TEXT)
    assert nats_per_character(network, tokenizer, TEXT) == pytest.approx(math.log(300) * per_token, rel=1e-5)


def test_windows_equal_a_sum_token_by_token() -> None:
    network = make_network()
    tokenizer = CharacterTokenizer("\n" + "".join(sorted(set(TEXT) - {"\n"})))
    tokens, total = tokenizer.encode("\n" + TEXT), 0.0
    for i in range(len(TEXT)):
        window = torch.tensor([tokens[i // 16 * 16 : i + 1]])
        logits = network.logits(network(window, CausalAttention())[0, -1])
        total -= torch.log_softmax(logits, -1)[tokens[i + 1]].item()
    assert nats_per_character(network, tokenizer, TEXT) == pytest.approx(total / len(TEXT), rel=1e-5)


def test_windows_of_characters_see_one_character_before_them_and_no_more() -> None:
    network, tokenizer = make_network(), make_bpe(TEXT, 300)
    network.embedding.weight.mul_(30)  # so that what stands before matters
    total = 0.0
    for start in range(0, len(TEXT), 11):
        given = tokenizer.encode(TEXT[start - 1] if start else "\n")
        wanted = tokenizer.encode(TEXT[start : start + 11])
        logits = network.logits(network(torch.tensor([given + wanted[:-1]]), CausalAttention()))[0]
        total -= torch.log_softmax(logits, -1)[range(len(wanted)), wanted].sum().item()
    found = nats_per_character_in_windows(network, tokenizer, TEXT, 11)
    assert found == pytest.approx(total / len(TEXT), rel=1e-5)
    assert found != pytest.approx(nats_per_character_in_windows(network, tokenizer, TEXT, 12), rel=1e-3)


@pytest.mark.parametrize("max_slots", [3, 40])
def test_the_served_figure_is_the_same(max_slots: int) -> None:
    network, tokenizer = make_network(), make_bpe(TEXT, 300)
    wanted = nats_per_character(network, tokenizer, TEXT)
    assert served_nats_per_character(Decoder(network, max_slots), tokenizer, TEXT) == pytest.approx(
        wanted, rel=1e-4
    )


def test_sliding_on_equals_a_banded_reference() -> None:
    network, tokenizer = make_network(), make_bpe(TEXT, 300)
    inputs, targets = scored_tokens(tokenizer, TEXT)
    assert len(inputs) > 2 * CONFIG.max_seq_len
    logits = network.logits(network(inputs[None], CausalAttention(window=CONFIG.max_seq_len)))[0]
    wanted = torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item() / len(TEXT)
    given = served_nats_per_character(Decoder(network, 1), tokenizer, TEXT, window=len(inputs))
    assert given == pytest.approx(wanted, rel=1e-4)


def test_the_sliding_figure_reads_on_past_the_window_where_there_is_more_to_read() -> None:
    network, tokenizer = make_network(), make_bpe(TEXT, 300)
    assert 16 < len(tokenizer.encode(TEXT)) <= 64
    whole = served_nats_per_character(Decoder(network, 1), tokenizer, TEXT, window=64)
    given = sliding_nats_per_character(Decoder(network, 8), tokenizer, TEXT)
    assert given == pytest.approx(whole, rel=1e-6)
    assert given != served_nats_per_character(Decoder(network, 8), tokenizer, TEXT)
    assert sliding_nats_per_character(Decoder(network, 8), tokenizer, TEXT[:10]) is None
