"""What int8 costs in nats per character as served: of the bundled model, and of one with nanoGPT's block."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from benchmarks.compare.text import PASSAGE
from harness.server import ROOT
from models.gpt.config import GPTConfig
from models.gpt.decoding import Decoder
from models.gpt.engine import TextEngine
from models.gpt.kernel import FORMATS, load_kernel
from models.gpt.network import GPT, CausalAttention
from models.gpt.tokenizer import CharacterTokenizer, Tokenizer
from training.text.evaluate import served_nats_per_character

MOST = 0.002  # nats per character: more would change texts
HELD_BACK = 10_000  # characters
LENGTH, BATCH, STEPS = 64, 16, 300
BLOCK = {"positions": "learned", "norm": "layer", "mlp": "gelu", "qk_norm": False, "bias": False}


def nanogpt_trained_on(text: str) -> tuple[GPT, Tokenizer]:
    """nanoGPT's block, smaller, until it writes words."""
    tokenizer = CharacterTokenizer("".join(map(chr, range(128))))
    config = GPTConfig(
        training_data="our own pages", vocabulary=len(tokenizer.pieces), max_seq_len=LENGTH, num_layers=4,
        hidden_size=128, heads=4, kv_heads=4, mlp_width=512, **BLOCK,
    )  # fmt: skip
    torch.manual_seed(0)
    network = GPT(config)
    tokens = torch.tensor(tokenizer.encode(text))
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 20, 2 * (STEPS - step) / STEPS)
        starts = torch.randint(len(tokens) - LENGTH - 1, (BATCH, 1))
        windows = tokens[starts + torch.arange(LENGTH + 1)]
        logits = network.logits(network(windows[:, :-1], CausalAttention()))
        loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network, tokenizer


def entropy_of(text: str) -> float:
    """Nats per character of whoever knows how frequent each character is, and no more."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log(share) for share in shares)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bundled", "nanogpt"])
def test_int8_loses_less_than_texts_show(name: str) -> None:
    kernel = load_kernel()
    if kernel is None:
        pytest.skip("needs the compiled kernel")
    if name == "nanogpt":
        pages = "".join(page.read_text() for page in sorted((ROOT / "docs").rglob("*.md")))
        pages = pages.encode("ascii", "ignore").decode()
        text = pages[-HELD_BACK:]
        network, tokenizer = nanogpt_trained_on(pages[:-HELD_BACK])
    else:
        text = PASSAGE.read_text(encoding="ascii")
        engine = TextEngine.load(ROOT / "checkpoints" / "gpt-shakespeare", "cpu", max_slots=1)
        network, tokenizer = engine.decoder.network, engine.tokenizer
    decoders = {"float32": Decoder(network, 32)}
    for weights in FORMATS:
        decoders[weights] = Decoder(network, 32, kernel, weights)
    nats = {width: served_nats_per_character(one, tokenizer, text, LENGTH) for width, one in decoders.items()}
    print(f"{name}: {nats}")
    assert nats["float32"] < entropy_of(text) - 0.3, "what has learned nothing has nothing to lose"
    for width in FORMATS:
        assert abs(nats[width] - nats["float32"]) < MOST
