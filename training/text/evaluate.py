"""Nats per character: total negative log-likelihood of a text over its number of characters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.gpt.network import GPT, CausalAttention
from models.gpt.tokenizer import Tokenizer

WINDOWS_PER_PASS = 8


@torch.inference_mode()
def nats_per_character(network: GPT, tokenizer: Tokenizer, text: str, context: int | None = None) -> float:
    """Score every token of `text` once, in windows of `context` tokens that do not overlap.

    A newline stands before the text, so that its first token is scored too. A window's first token sees one
    token of context, its last sees them all.
    """
    network.eval()
    device = network.embedding.weight.device
    tokens = torch.tensor(tokenizer.encode("\n" + text), device=device)
    length = context or network.config.context
    num_prefix = len(tokenizer.encode("\n"))
    inputs, targets = tokens[num_prefix - 1 : -1], tokens[num_prefix:]
    num_whole = len(targets) // length * length
    total = 0.0
    windows, wanted = inputs[:num_whole].view(-1, length), targets[:num_whole].view(-1, length)
    for first in range(0, len(windows), WINDOWS_PER_PASS):
        rows = slice(first, first + WINDOWS_PER_PASS)
        total += _sum_nats(network, windows[rows], wanted[rows])
    if num_whole < len(targets):
        total += _sum_nats(network, inputs[None, num_whole:], targets[None, num_whole:])
    return total / len(text)


def _sum_nats(network: GPT, inputs: Tensor, targets: Tensor) -> float:
    logits = network.logits(network(inputs, CausalAttention())).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
