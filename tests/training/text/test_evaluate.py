"""Nats per character: every token once, in windows, over the number of characters."""

from __future__ import annotations

import math

import pytest
import torch

from models.gpt.config import GPTConfig
from models.gpt.network import GPT, CausalAttention
from models.gpt.tokenizer import CharacterTokenizer
from training.text.evaluate import nats_per_character
from training.text.vocabulary import make_bpe

TEXT = "the cat sat on the mat\n" * 9
CONFIG = GPTConfig(
    training_data="", vocabulary=300, context=16, layers=1, width=32, heads=2, kv_heads=1, mlp_width=64
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
