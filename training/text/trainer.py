"""The training loop: windows to loss to step to averaged weights; all of it can be saved and restored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.gpt.config import GPTConfig
from models.seq2seq.lstm import LSTMConfig
from training.ranks import Ranks
from training.run import Run, TrainingError
from training.text.data import Batches
from training.text.networks import Network, make_network, read_windows
from training.text.optimiser import make_optimisers, rate_factor
from training.text.settings import TextSettings

LOG_EVERY = 10
ALONE = Ranks()


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
        self.average = make_network(config).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.optimisers = make_optimisers(self.network, settings)
        self._rates = [[group["lr"] for group in o.param_groups] for o in self.optimisers]
        self._loss: nn.Module = Loss(self.network, settings.attention_dropout)
        if ranks.world > 1:
            self._loss = DistributedDataParallel(self._loss)

    def step(self, step: int) -> Tensor:
        """Take optimiser step number `step`; returns the loss in nats per token, not yet waited for.

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
        self._update_average(step)
        return self.ranks.mean(loss.detach())

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "epoch": self.batches.epoch,
            "place": self.batches.place,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.batches.epoch, self.batches.place = state["epoch"], state["place"]

    def _set_rates(self, factor: float) -> None:
        for optimiser, rates in zip(self.optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        # Early on, a plain mean of a few weights: a long memory would hold on to the random start.
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step)) if self.settings.ema_decay else 0.0
        for mean, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)


def train(trainer: Trainer, run: Run, evaluate: Callable[[Network, int], float] | None) -> bool:
    """Go on from `run.step` to the last step or the end of the time box, saving state on the way.

    Args:
        evaluate: nats per character of a network on the dev text in windows of so many tokens; None where
            nothing is looked at on the way.

    Returns:
        whether the last step was reached; False when time was up before it.
    """
    settings, ranks = trainer.settings, trainer.ranks
    while run.step < settings.steps:
        with run.timed():
            loss = trainer.step(run.step).item()
        run.step += 1
        if loss != loss:
            raise TrainingError(f"the loss became NaN at step {run.step}; lower the learning rates")
        run.show(loss=loss)
        is_last = run.step == settings.steps
        is_time_up = ranks.agree(run.is_time_up)
        if evaluate is not None and ranks.is_main and (run.step % settings.eval_every == 0 or is_last):
            value = evaluate(trainer.average, settings.context_at(run.step - 1))
            run.log(loss=round(loss, 5), epoch=trainer.batches.epoch, dev_nats_per_character=round(value, 5))
            run.say(f"step {run.step}: loss {loss:.4f} nats/token, dev {value:.4f} nats/character")
        elif run.step % LOG_EVERY == 0 or is_last:
            run.log(loss=round(loss, 5), epoch=trainer.batches.epoch)
        if run.step % settings.save_every == 0 or is_last or is_time_up:
            run.save_state(trainer.state())
        if is_time_up and not is_last:
            run.say(f"time is up at step {run.step} of {settings.steps}; --resume goes on")
            return False
    return True


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
