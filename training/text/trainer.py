"""One step of a text run: windows to loss to weights to their average; its state is saved and restored."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.checkpoint import CheckpointError, load_weights, read_config
from models.ema import MovingAverage
from models.gpt.config import GPTConfig
from models.seq2seq.lstm import LSTMConfig
from training.errors import TrainingError
from training.ranks import ALONE, Ranks
from training.text.data import Batches
from training.text.loops import make_loop, unlikelihood
from training.text.mentions import MentionWeights
from training.text.networks import Network, make_network, read_windows
from training.text.optimiser import make_optimisers, rate_factor
from training.text.settings import TextSettings


class Loss(nn.Module):
    """What a step is taken down, as one module that can be made parallel."""

    def __init__(self, network: Network, attention_dropout: float) -> None:
        super().__init__()
        self.network, self.attention_dropout = network, attention_dropout

    def forward(
        self, windows: Tensor, weights: Tensor | None, loop: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Mean negative log-likelihood in nats per token, and what a loop costs.

        Args:
            windows: (B, T + 1).
            weights: (B, T), of the tokens' shares in the mean; each 1 when None.
            loop: what `make_loop` gives; costs nothing when None.
        """
        logits = read_windows(self.network, windows[:, :-1], self.attention_dropout)
        targets = windows[:, 1:].flatten()
        if weights is None:
            loss = F.cross_entropy(logits.float().flatten(0, 1), targets)
        else:
            costs = F.cross_entropy(logits.float().flatten(0, 1), targets, reduction="none")
            loss = (costs * weights.flatten()).mean()
        return loss, loss.new_zeros(()) if loop is None else self._cost(*loop)

    def _cost(self, window: Tensor, is_loop: Tensor) -> Tensor:
        logits = read_windows(self.network, window[None, :-1], self.attention_dropout)[0]
        return unlikelihood(logits, window[1:], is_loop[1:])


class Trainer:
    """A network on its way: weights, their running average, optimisers, and its place in the data."""

    def __init__(
        self,
        config: GPTConfig | LSTMConfig,
        settings: TextSettings,
        batches: Batches,
        device: torch.device,
        ranks: Ranks = ALONE,
        weigh: MentionWeights | None = None,
    ) -> None:
        """Start with random weights, or those of `settings.start_from`.

        Raises:
            TrainingError: that is no checkpoint of the settings' shape.
        """
        torch.manual_seed(settings.seed)
        self.settings, self.batches, self.device, self.ranks = settings, batches, device, ranks
        self._weigh = weigh
        self.network = make_network(config, settings.dropout)
        initialise(self.network)
        if settings.start_from is not None:
            start(self.network, config, Path(settings.start_from))
        self.network.to(device)
        self.average = MovingAverage(self.network, settings.ema_decay)
        self.optimisers = make_optimisers(self.network, settings)
        self._rates = [[group["lr"] for group in o.param_groups] for o in self.optimisers]
        self._loss: nn.Module = Loss(self.network, settings.attention_dropout)
        if settings.compiled:
            self._loss.compile(dynamic=False)
        if ranks.world > 1:
            self._loss = DistributedDataParallel(self._loss)

    def train_step(self, step: int) -> dict[str, Tensor | int]:
        """Take optimiser step number `step`; its losses, and the place in the data.

        Several processes draw the same batch and take a share of it each; gradients and loss are means.
        """
        # Seeding each step makes dropout a function of step and rank, so that no generator needs saving.
        torch.manual_seed((self.settings.seed << 32) + (self.ranks.rank << 24) + step)
        self._set_rates(rate_factor(self.settings, step))
        windows = self.ranks.share(self.batches.draw(step))
        if self.device.type == "cuda":  # pinned, it is on its way while the host goes on
            windows = windows.pin_memory()
        windows = windows.to(self.device, non_blocking=True)
        self.network.train()
        precision = (
            torch.autocast(self.device.type, torch.bfloat16) if self.settings.autocast else nullcontext()
        )
        # Windows that are cut come in a few steps at the start: not worth another minute of compiling.
        is_apart = self.settings.compiled and windows.shape[1] - 1 < self.settings.context_at(step)
        with precision, torch.compiler.set_stance("force_eager") if is_apart else nullcontext():
            loss, cost = self._loss(windows, self._weights(windows), self._loop(windows))
        (loss + self.settings.loop_penalty * cost).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.average.update(step + 1)
        losses = {"loss": loss, "loop": cost} if self.settings.loop_penalty else {"loss": loss}
        means: dict[str, Tensor | int] = {name: self.ranks.mean(one.detach()) for name, one in losses.items()}
        return means | {"epoch": self.batches.epoch}

    def _weights(self, windows: Tensor) -> Tensor | None:
        """How much each target counts, (B, T); None where all count alike."""
        if self._weigh is None:
            return None
        return torch.from_numpy(self._weigh(windows.cpu().numpy())[:, 1:]).to(windows.device)

    def _loop(self, windows: Tensor) -> tuple[Tensor, Tensor] | None:
        return make_loop(windows[0]) if self.settings.loop_penalty else None

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "shard": self.batches.shard,
            "place": self.batches.place,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.batches.place = state["place"]
        # States may be from before there were shards, when each epoch was one.
        self.batches.shard = state["shard"] if "shard" in state else state["epoch"] * self.batches.num_shards

    def _set_rates(self, factor: float) -> None:
        for optimiser, rates in zip(self.optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor


def start(network: Network, config: GPTConfig | LSTMConfig, folder: Path) -> None:
    """Give the network a checkpoint's weights; TrainingError where they are of another shape."""
    try:
        there = read_config(folder, GPTConfig)
        if not isinstance(config, GPTConfig) or _shape(there) != _shape(config):
            raise TrainingError(f"start_from={folder}: is of another shape than the settings say")
        load_weights(folder, network)
    except CheckpointError as error:
        raise TrainingError(str(error)) from None


def _shape(config: GPTConfig) -> dict[str, Any]:
    """All that weights depend on; how many tokens a window has is up to rotary positions' user."""
    free = {"training_data", "end_token"} | ({"max_seq_len"} if config.positions == "rope" else set())
    return config.model_dump(exclude=free)


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
