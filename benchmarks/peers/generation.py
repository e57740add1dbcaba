"""The peers' model in PyTorch, as the FastAPI and LitServe servers drive it. Runs in their environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

MAX_BATCH = 64


@dataclass(frozen=True)
class Wish:
    """One request."""

    prompt: str
    num_characters: int
    temperature: float
    top_k: int

    @classmethod
    def read(cls, body: dict[str, Any]) -> Wish:
        return cls(body["prompt"], body["num_characters"], body["temperature"], body["top_k"])


class Model:
    """Network and tokenizer; one character is one token."""

    def __init__(self, folder: Path) -> None:
        self.network = GPT2LMHeadModel.from_pretrained(folder).eval()
        self._tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, padding_side="left")
        self._tokenizer.pad_token_id = 0
        self.characters = [self._tokenizer.decode([one]) for one in range(self._tokenizer.vocab_size)]

    def encode(self, wishes: list[Wish]) -> tuple[Tensor, Tensor]:
        """Ids and attention mask, both (B, T), padded on the left."""
        coded = self._tokenizer([wish.prompt for wish in wishes], return_tensors="pt", padding=True)
        return coded.input_ids, coded.attention_mask

    @torch.inference_mode()
    def steps(self, wishes: list[Wish]) -> Iterator[list[str]]:
        """A plain sampling loop with a cache of keys and values: each step's characters, one per wish."""
        ids, mask = self.encode(wishes)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = None
        for _ in range(max(wish.num_characters for wish in wishes)):
            out = self.network(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out.past_key_values
            ids = sample(out.logits[:, -1], wishes[0].temperature, wishes[0].top_k)  # (B, 1)
            mask = torch.cat([mask, torch.ones_like(ids)], 1)
            positions = positions[:, -1:] + 1
            yield [self.characters[one] for one in ids[:, 0].tolist()]


def sample(logits: Tensor, temperature: float, top_k: int) -> Tensor:
    """(B, V) → (B, 1). The benchmark's requests all have the same temperature and top-k."""
    values, indices = logits.topk(top_k)
    return indices.gather(1, torch.multinomial((values / temperature).softmax(-1), 1))


def event(text: str) -> str:
    """One server-sent event."""
    return f"data: {json.dumps({'text': text})}\n\n"
