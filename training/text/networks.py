"""The networks that the text trainer knows, and the one thing that it asks of them: logits."""

from __future__ import annotations

from torch import Tensor

from models.gpt.config import GPTConfig
from models.gpt.network import GPT, CausalAttention
from models.seq2seq.lstm import LSTMConfig, LSTMLanguageModel

Network = GPT | LSTMLanguageModel


def make_network(config: GPTConfig | LSTMConfig, dropout: float = 0.0) -> Network:
    """A network of that shape, with PyTorch's own starting weights."""
    return LSTMLanguageModel(config, dropout) if isinstance(config, LSTMConfig) else GPT(config, dropout)


def read_windows(network: Network, tokens: Tensor, attention_dropout: float = 0.0) -> Tensor:
    """Logits (B, T, vocabulary) of the token after each of `tokens` (B, T)."""
    if isinstance(network, GPT):
        return network.logits(network(tokens, CausalAttention(dropout=attention_dropout)))
    return network.logits(network(tokens))
