"""One step of a text run: windows to loss to weights to their average; its state is saved and restored."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.ema import MovingAverage
from models.gpt.config import GPTConfig
from models.seq2seq.lstm import LSTMConfig
from training.ranks import ALONE, Ranks
from training.text.data import Batches
from training.text.networks import Network, make_network, read_windows
from training.text.optimiser import make_optimisers, rate_factor
from training.text.settings import TextSettings


class Loss(nn.Module):
    """Mean negative log-likelihood of windows under a network, as one module that can be made parallel."""

    def __init__(self, network: Network, attention_dropout: float) -> None:
        super().__init__()
        self.network, self.attention_dropout = network, attention_dropout

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats per token for `inputs` and `targets`, both (B, T)."""
        logits = read_windows(self.network, inputs, self.attention_dropout)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


class Trainer:
    """A network on its way: weights, their running average, optimisers, and its place in the data."""

    def __init__(
        self,
        config: GPTConfig | LSTMConfig,
        settings: TextSettings,
        batches: Batches,
        device: torch.device,
        ranks: Ranks = ALONE,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.batches, self.device, self.ranks = settings, batches, device, ranks
        self.network = make_network(config, settings.dropout)
        initialise(self.network)
        self.network.to(device)
        self.average = MovingAverage(self.network, settings.ema_decay)
        self.optimisers = make_optimisers(self.network, settings)
        self._rates = [[group["lr"] for group in o.param_groups] for o in self.optimisers]
        self._loss: nn.Module = Loss(self.network, settings.attention_dropout)
        if ranks.world > 1:
            self._loss = DistributedDataParallel(self._loss)

    def train_step(self, step: int) -> dict[str, Tensor | int]:
        """Take optimiser step number `step`; returns the loss in nats per token and the place in the data.

        Several processes draw the same batch and take a share of it each; gradients and loss are means.
        """
        # Seeding each step makes dropout a function of step and rank, so that no generator needs saving.
        torch.manual_seed((self.settings.seed << 32) + (self.ranks.rank << 24) + step)
        self._set_rates(rate_factor(self.settings, step))
        windows = self.ranks.share(self.batches.draw(step)).to(self.device)
        self.network.train()
        precision = (
            torch.autocast(self.device.type, torch.bfloat16) if self.settings.autocast else nullcontext()
        )
        with precision:
            loss = self._loss(windows[:, :-1], windows[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.average.update(step + 1)
        return {"loss": self.ranks.mean(loss.detach()), "epoch": self.batches.epoch}

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "epoch": self.batches.epoch,
            "place": self.batches.place,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.batches.epoch, self.batches.place = state["epoch"], state["place"]

    def _set_rates(self, factor: float) -> None:
        for optimiser, rates in zip(self.optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor


def initialise(network: Network) -> None:
    """GPT-2's start: normal weights of 0.02, smaller where a branch joins the residual stream."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            deviation = 0.02
            if name.endswith(".out"):
                deviation /= (2 * network.config.num_layers) ** 0.5
            nn.init.normal_(module.weight, std=deviation)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
