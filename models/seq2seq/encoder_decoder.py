"""The GRU encoder–decoder (Cho et al. 2014; Sutskever et al. 2014), and the attention that mended it.

Without attention all that the decoder knows of the source is one vector, the encoder's last state. With it
(Luong et al. 2015, "general" scores) each decoder step looks back at all the encoder's states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Mix the source's states into each decoder state, weighed by how well they match."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, width, bias=False)
        self.mix = nn.Linear(2 * width, width)

    def forward(self, states: Tensor, memory: Tensor) -> Tensor:
        """Decoder states (B, T, W) and encoder states (B, S, W) in, mixed states (B, T, W) out."""
        weights = (self.score(states) @ memory.mT).softmax(-1)  # (B, T, S)
        mixed = self.mix(torch.cat((weights @ memory, states), dim=-1))
        return torch.tanh(mixed)


class EncoderDecoder(nn.Module):
    """Symbols in, symbols out. `start` is the id that the decoder reads before its first symbol."""

    def __init__(self, symbols: int, width: int, has_attention: bool) -> None:
        super().__init__()
        self.start = symbols
        self.embedding = nn.Embedding(symbols + 1, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.attention = Attention(width) if has_attention else None
        self.out = nn.Linear(width, symbols)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, symbols) of `target` (B, T), each given `source` (B, S) and the symbols before it."""
        memory, last = self.encoder(self.embedding(source))
        starts = torch.full_like(target[:, :1], self.start)
        logits, _ = self._decode(torch.cat((starts, target[:, :-1]), dim=1), last, memory)
        return logits

    @torch.inference_mode()
    def generate(self, source: Tensor, length: int) -> Tensor:
        """The likeliest symbol at each step, fed back: (B, length)."""
        memory, state = self.encoder(self.embedding(source))
        symbol = torch.full_like(source[:, :1], self.start)
        given = []
        for _ in range(length):
            logits, state = self._decode(symbol, state, memory)
            symbol = logits.argmax(-1)
            given.append(symbol)
        return torch.cat(given, dim=1)

    def _decode(self, symbols: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        states, state = self.decoder(self.embedding(symbols), state)
        if self.attention is not None:
            states = self.attention(states, memory)
        return self.out(states), state
