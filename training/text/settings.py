"""Every dial of a text run, and the named presets."""

from __future__ import annotations

import json
from typing import ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from models.errors import reason_of
from models.gpt.config import GPTConfig
from models.seq2seq.lstm import LSTMConfig
from training.run import Settings


class TextSettings(Settings):
    """The dials of one run. Learning rates are for AdamW and, in its scaling, for Muon (Liu et al. 2025)."""

    earlier_names: ClassVar = {"context": "max_seq_len", "layers": "num_layers", "width": "hidden_size"}

    # text
    tokenizer: Literal["characters", "bpe"] = "bpe"
    vocabulary: int = Field(default=1024, ge=257)  # of BPE; characters count themselves
    bpe_dropout: float = Field(default=0.0, ge=0, lt=1)  # chance to skip a merge, drawn anew each epoch
    renaming: float = Field(default=0.0, ge=0, le=1)  # share of names invented anew in each stretch and epoch
    invented_weight: float = Field(default=1.0, ge=0)  # of invented names where they are new: mentions.py
    name_weight: float = Field(default=1.0, ge=0)  # of real ones there
    echo_steps: int = Field(default=0, ge=0)  # at the start, with windows that repeat themselves: see echo.py
    split: Literal["dev", "release"] = "dev"  # see training/text/corpus.py
    held_back: float = Field(
        default=0.0, ge=0, lt=1
    )  # of a release's training part: to choose the best step by

    start_from: str | None = None  # a checkpoint's folder: its weights, tokenizer and shape
    merged_with: str | None = None  # another run from there: the mean of both is released, see merging.py

    # network; an LSTM has only max_seq_len, num_layers and hidden_size
    network: Literal["gpt", "lstm"] = "gpt"
    max_seq_len: int = Field(default=256, ge=8)
    early_context: int | None = Field(default=None, ge=8)  # shorter windows until the rate decays
    num_layers: int = Field(default=6, ge=1)
    hidden_size: int = Field(default=320, ge=8)
    heads: int = Field(default=5, ge=1)
    kv_heads: int = Field(default=1, ge=1)
    mlp_width: int = Field(default=896, ge=8)
    positions: Literal["rope", "learned"] = "rope"
    norm: Literal["rms", "layer"] = "rms"
    mlp: Literal["swiglu", "gelu", "gelu_tanh"] = "swiglu"
    bias: bool = False
    qk_norm: bool = True
    tied: bool = True

    # regularisation
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    loop_penalty: float = Field(default=0.0, ge=0)  # beside the loss: see loops.py
    weight_decay: float = Field(default=0.1, ge=0)
    ema_decay: float = Field(default=0.99, ge=0, lt=1)  # of the weights that are served; 0 serves the last

    # optimisation
    optimiser: Literal["muon", "adamw"] = "muon"
    learning_rate: float = Field(default=3e-3, gt=0)
    muon_learning_rate: float = Field(default=8e-3, gt=0)
    beta2: float = Field(default=0.98, gt=0, lt=1)
    gradient_clip: float = Field(default=1.0, gt=0)
    batch: int = Field(default=32, ge=1)  # windows a step
    steps: int = Field(default=1000, ge=1)
    warmup_steps: int = Field(default=20, ge=0)
    schedule: Literal["wsd", "cosine"] = "wsd"
    decay_fraction: float = Field(default=0.5, gt=0, le=1)  # of the steps, at the end; WSD only
    final_fraction: float = Field(default=0.0, ge=0, le=1)  # of the peak rate, at the last step
    autocast: bool = False  # bfloat16 forward and backward
    compiled: bool = (
        False  # what stands between products is fused (torch.compile); takes a minute at the start
    )

    eval_every: int = Field(default=100, ge=1)
    save_every: int = Field(default=100, ge=1)
    seed: int = 1

    @model_validator(mode="after")
    def _makes_a_network(self) -> TextSettings:
        if self.network == "lstm" and self.optimiser == "muon":
            raise ValueError("optimiser=muon is for the blocks of a GPT; an LSTM takes adamw")
        if self.early_context and (self.max_seq_len % self.early_context or self.schedule != "wsd"):
            raise ValueError("early_context must divide max_seq_len and takes schedule=wsd")
        try:
            self.network_config(self.vocabulary, "")
        except ValidationError as error:
            raise ValueError(reason_of(error.errors()[0])) from None
        return self

    def context_at(self, step: int) -> int:
        """Tokens of a window at `step`: of the early ones more windows make a batch of as many tokens."""
        num_decay_steps = round(self.decay_fraction * self.steps)
        if self.early_context and self.steps - step > num_decay_steps:
            return self.early_context
        return self.max_seq_len

    def network_config(self, vocabulary: int, training_data: str) -> GPTConfig | LSTMConfig:
        """The shape of the network that these settings train."""
        if self.network == "lstm":
            return LSTMConfig(vocabulary, self.max_seq_len, self.hidden_size, self.num_layers)
        return GPTConfig(
            training_data=training_data,
            vocabulary=vocabulary,
            max_seq_len=self.max_seq_len,
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            heads=self.heads,
            kv_heads=self.kv_heads,
            mlp_width=self.mlp_width,
            positions=self.positions,
            norm=self.norm,
            mlp=self.mlp,
            bias=self.bias,
            qk_norm=self.qk_norm,
            tied=self.tied,
        )


NANOGPT = TextSettings(
    tokenizer="characters", max_seq_len=256, num_layers=6, hidden_size=384, heads=6, kv_heads=6,
    mlp_width=1536, positions="learned", norm="layer", mlp="gelu", qk_norm=False, dropout=0.2,
    attention_dropout=0.2, weight_decay=0.1, ema_decay=0.0, optimiser="adamw", learning_rate=1e-3, beta2=0.99,
    batch=64, steps=5000, warmup_steps=100, schedule="cosine", final_fraction=0.1,
)  # fmt: skip

PRESETS = {
    "first-light": TextSettings(
        split="release", held_back=0.02, num_layers=5, hidden_size=256, heads=4, mlp_width=704, batch=16,
        steps=500,
    ),  # 20 minutes on one core
    "nanogpt": NANOGPT,  # karpathy/nanoGPT config/train_shakespeare_char.py
    "shakespeare": TextSettings(
        split="release", held_back=0.02, max_seq_len=1024, early_context=256, num_layers=5, hidden_size=256,
        heads=4, mlp_width=704, batch=4, steps=2500, decay_fraction=0.2, dropout=0.15, bpe_dropout=0.1,
        renaming=0.8, echo_steps=450, save_every=50,
    ),  # first-light for longer, with less to learn by heart and copying taught; 75 minutes on two cores
    "shakespeare-readable": TextSettings(
        split="release", start_from="runs/shakespeare/checkpoint", max_seq_len=1024, num_layers=5,
        hidden_size=256, heads=4, mlp_width=704, batch=2, steps=500, warmup_steps=4, decay_fraction=0.4,
        learning_rate=1.2e-3, muon_learning_rate=3.2e-3, dropout=0.15, ema_decay=0.93, renaming=0.1,
        invented_weight=0, name_weight=4, loop_penalty=0.25, save_every=50, seed=303,
    ),  # on from the last, with real names and against loops; two of them make the bundled one
    "gpu": TextSettings(
        split="release", held_back=0.02, max_seq_len=1024, num_layers=5, hidden_size=384, heads=6,
        mlp_width=1024, batch=64, steps=2500, decay_fraction=0.3, dropout=0.15, bpe_dropout=0.1, renaming=0.8,
        echo_steps=450, autocast=True, compiled=True,
    ),  # a larger one, of 8M parameters; `make gpu-train-text` plans its steps
    "lstm": TextSettings(
        split="release", held_back=0.02, network="lstm", num_layers=2, hidden_size=448, dropout=0.2,
        optimiser="adamw", batch=16, steps=500,
    ),  # first-light's data, tokens, steps and, nearly, parameters: what attention is measured against
    "tiny": TextSettings(
        vocabulary=384, max_seq_len=64, num_layers=2, hidden_size=64, heads=2, mlp_width=128, batch=16,
        steps=200, eval_every=50, save_every=50,
    ),  # seconds on a laptop; for tests and first tries
}  # fmt: skip


def name_preset(settings: TextSettings) -> tuple[str, list[str]]:
    """The preset nearest to `settings` and the KEY=VALUE overrides that lead from it to them."""
    values = settings.model_dump()

    def overrides(preset: TextSettings) -> list[str]:
        there = preset.model_dump()
        return [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in values.items()
            if value != there[key]
        ]

    changes = {name: overrides(preset) for name, preset in PRESETS.items()}
    nearest = min(changes, key=lambda name: len(changes[name]))
    return nearest, changes[nearest]
