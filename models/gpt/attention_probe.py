"""What the model looked at when it chose a token: every head's weights over the context, on request.

One row is passed through the network once more, over the keys that the cache holds already. It writes nothing
there, and whoever doesn't ask pays nothing: the decoder knows nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.gpt.backend import SlotCache
from models.gpt.config import GPTConfig
from models.gpt.decoding import Decoder
from models.gpt.source import OpenSequence, TokenSource

MAX_TOKENS = 16  # of one request
MAX_WEIGHTS = 1_000_000  # of one request: tokens x layers x heads x context; some 8 MB as JSON
DIGITS = 5


@dataclass(frozen=True)
class TokenAttention:
    """A drawn token, and how the step that drew it spread its attention."""

    index: int  # among the drawn tokens, from 0
    token: str
    context: list[str]  # the tokens that could be seen, oldest first; the last is the one before `token`
    weights: list[list[list[float]]]  # layer, head, context; each head's weights sum to 1


def max_tokens(config: GPTConfig) -> int:
    """How many tokens' attention one request may ask for; 0 of a model with too many weights for one."""
    return min(MAX_TOKENS, MAX_WEIGHTS // (config.num_layers * config.heads * config.max_seq_len))


class _Recorder:
    """Attention of a slot's newest token to what the slot holds; keeps the weights of each layer."""

    def __init__(self, cache: SlotCache, slot: int, places: Tensor) -> None:
        self.cache, self.slot, self.places = cache, slot, places
        self.weights: list[Tensor] = []  # per layer (H, span)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = (part.float() for part in self.cache.read(layer, self.slot, self.places))
        queries = q[0].reshape(keys.shape[0], -1, q.shape[-1]).float()  # (KV, H / KV, D)
        weights = torch.softmax(queries @ keys.transpose(1, 2) * q.shape[-1] ** -0.5, -1)
        self.weights.append(weights.flatten(0, 1))
        return (weights @ values).reshape(q.shape).to(q.dtype)


@torch.inference_mode()
def attention_weights(source: TokenSource | Decoder, sequence: OpenSequence, newest: int) -> Tensor:
    """The weights with which the source's last step on `sequence` saw its context.

    Args:
        newest: the token that was read last; `sequence` has none pending.

    Returns:
        (layers, heads, span) in float32; the span is what was read, at most the window, oldest first.
    """
    oldest = max(0, sequence.num_read - source.context)
    places = torch.arange(oldest, sequence.num_read, device=source.device) % source.context  # oldest first
    recorder = _Recorder(source.cache, sequence.slot, places)
    tokens = torch.tensor([[newest]], device=source.device)
    source.network(tokens, recorder, torch.tensor([[sequence.num_read - 1]], device=source.device))
    return torch.stack(recorder.weights)


def rounded(weights: Tensor) -> list[list[list[float]]]:
    """As nested lists of decimals that are short to write."""
    scale = 10**DIGITS
    return ((weights.double().cpu() * scale).round() / scale).tolist()  # type: ignore[no-any-return]
