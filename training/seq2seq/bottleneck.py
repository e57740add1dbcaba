"""The bottleneck, measured: two encoder–decoders, one with attention, learn to say sequences backwards.

Both see the same batches. Lengths are drawn evenly up to the longest; accuracy is that of greedy decoding,
fed with its own symbols, on fresh sequences.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from models.seq2seq.encoder_decoder import EncoderDecoder
from training.run import Settings

HELD_OUT = 1 << 40  # seeds of evaluation start here, far from those of any step


class BottleneckSettings(Settings):
    """The experiment's dials."""

    earlier_names: ClassVar = {"width": "hidden_size"}

    symbols: int = Field(default=16, ge=2)
    hidden_size: int = Field(default=64, ge=1)
    longest: int = Field(default=32, ge=4)
    steps: int = Field(default=2000, ge=1)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    num_tests: int = Field(default=256, ge=1)  # sequences at each length
    test_every: int = Field(default=4, ge=1)  # lengths apart
    save_every: int = Field(default=100, ge=1)
    seed: int = 1


class Pair:
    """The two networks with their optimisers, by name."""

    def __init__(self, settings: BottleneckSettings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.networks: dict[str, EncoderDecoder] = {}
        for name, has_attention in (("one vector", False), ("attention", True)):
            torch.manual_seed(settings.seed)
            self.networks[name] = EncoderDecoder(settings.symbols, settings.hidden_size, has_attention).to(
                device
            )
        self._optimisers = {
            name: torch.optim.Adam(network.parameters(), settings.learning_rate)
            for name, network in self.networks.items()
        }

    def train_step(self, step: int) -> dict[str, Tensor]:
        """Step number `step` of each on the same batch; nats per symbol by name."""
        generator = torch.Generator().manual_seed((self.settings.seed << 32) + step)
        length = int(torch.randint(1, self.settings.longest + 1, (), generator=generator))
        source = self.draw(length, self.settings.batch, generator)
        factor = min(1.0, 2 - 2 * step / self.settings.steps)  # half the steps at full rate, then down to 0
        return {name: self._step_one(name, source, factor) for name in self.networks}

    def draw(self, length: int, count: int, generator: torch.Generator) -> Tensor:
        """Random sequences (count, length)."""
        return torch.randint(self.settings.symbols, (count, length), generator=generator).to(self.device)

    def _step_one(self, name: str, source: Tensor, factor: float) -> Tensor:
        network, optimiser = self.networks[name], self._optimisers[name]
        target = source.flip(1)
        loss = F.cross_entropy(network(source, target).flatten(0, 1), target.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), self.settings.gradient_clip)
        for group in optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            name: {"network": network.state_dict(), "optimiser": self._optimisers[name].state_dict()}
            for name, network in self.networks.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name]["network"])
            self._optimisers[name].load_state_dict(state[name]["optimiser"])


def measure(pair: Pair) -> list[dict[str, Any]]:
    """Accuracy by length, for each network: share of symbols, and of sequences without a mistake."""
    settings = pair.settings
    rows = []
    for length in sorted({1, *range(settings.test_every, settings.longest + 1, settings.test_every)}):
        source = pair.draw(length, settings.num_tests, torch.Generator().manual_seed(HELD_OUT + length))
        for name, network in pair.networks.items():
            is_right = network.generate(source, length) == source.flip(1)
            rows.append(
                {
                    "length": length,
                    "network": name,
                    "symbols_right": round(is_right.float().mean().item(), 4),
                    "sequences_right": round(is_right.all(1).float().mean().item(), 4),
                }
            )
    return rows
