"""Small random models for the tests of this folder."""

from __future__ import annotations

from typing import Any

import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers, trainers

from harness.device import TEST_DEVICE
from models.gpt.config import GPTConfig
from models.gpt.engine import TextEngine, TextEvent
from models.gpt.network import GPT
from models.gpt.request import TextRequest
from models.gpt.tokenizer import BPETokenizer, CharacterTokenizer

TEXT = "First Citizen:\nBefore we proceed any further, hear me speak. Ça va? 東京 😀\n\nAll:\nSpeak, speak.\n"
ALPHABET = "\n !,.:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

MODERN = {"kv_heads": 2, "mlp_width": 96}
GPT2 = {
    "kv_heads": 4,
    "mlp_width": 128,
    "positions": "learned",
    "norm": "layer",
    "mlp": "gelu_tanh",
    "bias": True,
    "qk_norm": False,
}


def make_network(vocabulary: int, **changes: Any) -> GPT:
    """A two-layer network whose random weights are large enough for lively text."""
    shape = {"max_seq_len": 32, "num_layers": 2, "hidden_size": 64, "heads": 4, **MODERN, **changes}
    config = GPTConfig(training_data="none", vocabulary=vocabulary, **shape)
    torch.manual_seed(7)
    network = GPT(config)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return network.eval().requires_grad_(False)


def make_bpe() -> BPETokenizer:
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        [TEXT * 3], trainers.BpeTrainer(vocab_size=300, show_progress=False, initial_alphabet=alphabet)
    )
    return BPETokenizer(inner)


def make_engine(
    max_slots: int = 8, is_bpe: bool = False, draws_on_device: bool = False, **changes: Any
) -> TextEngine:
    """On the CPU; one that draws on a device, on the device that is tested."""
    tokenizer = make_bpe() if is_bpe else CharacterTokenizer(ALPHABET)
    network = make_network(len(tokenizer.pieces), **changes)
    if draws_on_device:
        network = network.to(TEST_DEVICE)
    return TextEngine(network, tokenizer, max_slots, draws_on_device=draws_on_device)


def complete(engine: TextEngine, request: TextRequest, key: int = 0) -> list[TextEvent]:
    """Run one request by itself to its end."""
    engine.admit(key, request)
    events: list[TextEvent] = []
    while engine.num_running:
        events += engine.step()
    return events


def text_of(events: list[TextEvent]) -> str:
    return "".join(event.text for event in events)
