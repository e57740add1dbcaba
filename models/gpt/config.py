"""What a GPT checkpoint's config.json says. Imports no torch, so that the HTTP process can read it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from models.checkpoint import CheckpointConfig


class GPTConfig(CheckpointConfig):
    """Shape of a decoder-only transformer, wide enough for today's blocks and for GPT-2's."""

    earlier_names: ClassVar = {"context": "max_seq_len", "layers": "num_layers", "width": "hidden_size"}

    kind: Literal["gpt"] = "gpt"
    vocabulary: int = Field(ge=2)
    max_seq_len: int = Field(ge=2)  # tokens that attention can see; the window that is served
    num_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    mlp_width: int = Field(ge=1)
    positions: Literal["rope", "learned"] = "rope"
    norm: Literal["rms", "layer"] = "rms"
    mlp: Literal["swiglu", "gelu", "gelu_tanh"] = "swiglu"
    bias: bool = False  # in linear layers and layer norms
    qk_norm: bool = True
    tied: bool = True  # the output layer reuses the token embedding
    rope_base: float = Field(default=10_000.0, gt=0)
    norm_eps: float = Field(default=1e-5, gt=0)
    end_token: int | None = None  # drawing it finishes a completion

    @property
    def head_width(self) -> int:
        return self.hidden_size // self.heads

    @model_validator(mode="after")
    def _divides(self) -> GPTConfig:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        if self.positions == "rope" and self.head_width % 2:
            raise ValueError(f"rotary positions need an even head width, not {self.head_width}")
        return self
