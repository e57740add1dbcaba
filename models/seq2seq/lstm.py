"""An LSTM language model (Hochreiter & Schmidhuber 1997; Zaremba et al. 2014), to measure the GPT against.

Trained and scored by the same code on the same tokens; not served.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class LSTMConfig:
    """Its shape. `max_seq_len` is the number of tokens that it reads in a row, from an empty state."""

    vocabulary: int
    max_seq_len: int
    hidden_size: int
    num_layers: int


class LSTMLanguageModel(nn.Module):
    """Token ids in, logits out. `dropout` acts on embeddings, between layers and on the last states."""

    def __init__(self, config: LSTMConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        between = dropout if config.num_layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.hidden_size, config.hidden_size, config.num_layers, batch_first=True, dropout=between
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the last layer's states (B, T, hidden_size) for `tokens` (B, T)."""
        states, _ = self.lstm(self.dropout(self.embedding(tokens)))
        return self.dropout(states)  # type: ignore[no-any-return]

    def logits(self, states: Tensor) -> Tensor:
        """Scores (..., vocabulary) of the next token after each of `states`; reuses the token embedding."""
        return F.linear(states, self.embedding.weight)
