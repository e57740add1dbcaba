"""Reads tokens by PyTorch's operators: every network, every device. Single tokens together, prompts alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.gpt.backend import Chunk
from models.gpt.cache import Cache, DecodeAttention, PrefillAttention, span_of
from models.gpt.network import GPT

# Matrix products of 1-3, 5-7 and 9-11 rows take other kernels, with other bits, than those of 4, 8 and 12 on.
# With AVX-512 those of fewer than 16 rows do.
ROW_MULTIPLE = 16 if torch.backends.cpu.get_cpu_capability().startswith("AVX512") else 4


def lay_out_for_cpu(network: GPT) -> None:
    """Store each linear layer's weights column by column: products of few rows take half the time."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.weight.data = module.weight.data.t().contiguous().t()


class EagerBackend:
    """A network and the cache of its slots."""

    probed_sizes = ROW_MULTIPLE
    prompt_share = 64  # operators take longer to call than to compute a few rows
    cuts_freely = False
    short_step: int | None = None

    def __init__(self, network: GPT, max_slots: int) -> None:
        weights = network.embedding.weight
        self.network, self.device = network, weights.device
        self.cache = Cache(network.config, max_slots, weights.device, weights.dtype)

    @torch.inference_mode()
    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read every chunk into its slot; returns the logits after each, in order (n, vocabulary)."""
        singles = [i for i, chunk in enumerate(chunks) if len(chunk.tokens) == 1]
        context = self.cache.context
        singles.sort(key=lambda i: (span_of(chunks[i].start + 1, context), chunks[i].slot))
        others = [i for i, chunk in enumerate(chunks) if len(chunk.tokens) > 1]
        logits = [self._read_singles([chunks[i] for i in singles])] if singles else []
        logits += [self._read_many(chunks[i]) for i in others]
        order = [i for i in (*singles, *others) for _ in range(chunks[i].num_answers)]
        return torch.cat(logits)[torch.tensor(order, device=self.device).argsort(stable=True)]

    def _read_many(self, chunk: Chunk) -> Tensor:
        """Read the next tokens of one prompt; returns logits (num_answers, vocabulary)."""
        tokens = torch.tensor([chunk.tokens], device=self.device)
        positions = torch.arange(chunk.start, chunk.start + len(chunk.tokens), device=self.device)
        attend = PrefillAttention(self.cache, chunk.slot, chunk.start, len(chunk.tokens))
        states = self.network(tokens, attend, positions)[0]
        return self.network.logits(states[-chunk.num_answers :])

    def _read_singles(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read one token into each of many slots, sorted by span; returns logits (n, vocabulary)."""
        num_padding = -len(chunks) % ROW_MULTIPLE
        slots, positions = [chunk.slot for chunk in chunks], [chunk.start for chunk in chunks]
        attend = DecodeAttention(self.cache, slots, [p + 1 for p in positions], len(slots) + num_padding)
        padding = [0] * num_padding
        tokens = [chunk.tokens[0] for chunk in chunks] + padding
        states = self.network(
            torch.tensor([[token] for token in tokens], device=self.device),
            attend,
            torch.tensor([[position] for position in positions + padding], device=self.device),
        )
        return self.network.logits(states[:, 0])[: len(chunks)]
