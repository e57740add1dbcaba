"""One step of adversarial training, the averaged generator, and everything that a resumed run needs.

Three kinds of judge: heads on ImageNet features that see the whole picture, the same on enlarged windows,
and a discriminator from scratch that sees pixels and names each one's class. Of several ImageNet networks
each step looks through one, in turns. On a GPU the step is captured once as a CUDA graph: its thousands of
small operators would else wait for the host.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.ema import MovingAverage
from models.landscape.config import LandscapeConfig
from models.landscape.discriminator import Discriminator
from models.landscape.generator import Generator
from training.landscape.augment import augment
from training.landscape.batches import Batch, Batches
from training.landscape.feature_discriminator import (
    FeatureDiscriminator,
    FrozenFeatures,
    class_shares,
    discriminator_hinge,
    feature_loss,
    generator_hinge,
)
from training.landscape.losses import LabelLoss, blur_loss, fake_loss, style_loss
from training.landscape.settings import LandscapeSettings
from training.landscape.style_bank import LAYOUT_SIDE, StyleBank
from training.landscape.views import near_and_far, random_corners, take_windows
from training.optimizer_step import optimizer_step
from training.pretrained import load_trunk
from training.resumable import Resumable

BETAS = (0.0, 0.99)
FAR_SHOWN = 7 / 8  # of the side: what the whole picture is shrunk to for the feature discriminators
NEAR_WINDOW, NEAR_SHOWN = 3 / 8, 3 / 4  # of the side: a window, and what it is enlarged to
WARM_UP_STEPS = 4  # before a capture: libraries choose their algorithms


class AdversarialTrainer(Resumable):
    """A trainer of these networks, whose state is that of them and of their optimisers."""

    generator: Generator
    average: MovingAverage[Generator]
    feature_discriminators: nn.ModuleDict
    label_discriminator: Discriminator
    _optimisers: dict[str, torch.optim.Adam]

    def networks(self) -> dict[str, nn.Module]:
        """All that learns, and the average of the generator, by name."""
        return {
            "generator": self.generator,
            "averaged": self.average.network,
            "feature_discriminators": self.feature_discriminators,
            "label_discriminator": self.label_discriminator,
        }

    def _parts(self) -> dict[str, Any]:
        return self.networks() | {f"{name}_adam": optimiser for name, optimiser in self._optimisers.items()}


class Trainer(AdversarialTrainer):
    """Owns the networks, their optimisers and the averaged generator that is served."""

    def __init__(
        self, settings: LandscapeSettings, config: LandscapeConfig, bank: StyleBank, batches: Batches
    ) -> None:
        torch.manual_seed(settings.seed)  # initial weights
        device = batches.device
        self.settings, self.device = settings, device
        self.bank = StyleBank(*(part.to(device) for part in vars(bank).values()))
        self._batches = batches
        self.generator = _place(Generator(config), device)
        self.average = MovingAverage(self.generator, settings.ema)
        self._features: dict[str, FrozenFeatures] = {
            name: _place(FrozenFeatures(load_trunk(name)), device) for name in settings.networks
        }
        if device.type == "cuda":  # what autocast would do in each step, with a kernel for each frozen weight
            for features in self._features.values():
                features.bfloat16()
        self._heads: dict[str, FeatureDiscriminator] = {
            f"{name}_{distance}": _place(FeatureDiscriminator(features.widths), device)
            for name, features in self._features.items()
            for distance in ("far", "near")
        }
        self.feature_discriminators = nn.ModuleDict(self._heads)
        self.label_discriminator = _place(
            Discriminator(settings.discriminator_widths, settings.discriminator_patch), device
        )
        self._label_loss = LabelLoss(device)
        learnt = [weight for discriminator in self._heads.values() for weight in discriminator.learnt()]
        self._optimisers = {
            "generator": self._adam(self.generator.parameters()),
            "feature_discriminators": self._adam(learnt),
            "label_discriminator": self._adam(self.label_discriminator.parameters()),
        }
        self._rows = batches.rows(0)
        self._falling = torch.ones((), device=device)
        self._draws = torch.Generator(device)
        self._steps_here = 0
        self._graphs: dict[str, tuple[torch.cuda.CUDAGraph, dict[str, Tensor]]] = {}

    def train_step(self, step: int) -> dict[str, Tensor]:
        """Step number ``step``: update discriminators, the generator, the average; the losses by name."""
        self._rows.copy_(self._batches.rows(step))
        self._falling.fill_(self.settings.falling_share_at(step))
        self._set_rates(step)
        self._draws.manual_seed(self.settings.seed * 1_000_003 + step)
        losses = self._run(self.settings.networks[step % len(self.settings.networks)])
        self.average.update(step + 1)
        return {name: loss.clone() for name, loss in losses.items()}

    def _set_rates(self, step: int) -> None:
        rates = {
            "generator": self.settings.generator_rate,
            "feature_discriminators": self.settings.feature_rate,
            "label_discriminator": self.settings.label_rate,
        }
        for name, group in self._groups():
            rate = rates[name] * self.settings.rate_share_at(step)
            group["lr"].fill_(rate) if isinstance(group["lr"], Tensor) else group.update(lr=rate)

    def _run(self, network: str) -> dict[str, Tensor]:
        """Do the step's work, looking through one network.

        At once, or on a GPU by replaying what was captured.
        """
        wants_graph = self.device.type == "cuda" and self.settings.cuda_graph
        if not wants_graph or self._steps_here < WARM_UP_STEPS:
            self._steps_here += 1
            return self._work(network)
        if network not in self._graphs:
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            graph.register_generator_state(self._draws)
            with torch.cuda.graph(graph):
                losses = self._work(network)
            self._graphs[network] = (graph, losses)
        graph, losses = self._graphs[network]
        graph.replay()
        return losses

    def _work(self, network: str) -> dict[str, Tensor]:
        batch = self._batches.make(self._rows, self._draws)
        with self._autocast():
            fakes = self.generator(batch.inputs, batch.styles, self.draw_noise(batch, self._draws)).float()
        views = self._look_through(network, batch, fakes)
        losses = self._update_discriminators(batch, fakes.detach(), views)
        losses |= self._update_generator(batch, fakes, views)
        return {name: loss.detach() for name, loss in losses.items()}

    def draw_noise(self, batch: Batch, draws: torch.Generator) -> list[Tensor]:
        """The noise of a batch's pictures."""
        count, height, width = batch.inputs.shape
        shapes = self.generator.config.noise_shapes(height, width)
        return [torch.randn((count, *shape), generator=draws, device=self.device) for shape in shapes]

    def _look_through(
        self, network: str, batch: Batch, fakes: Tensor
    ) -> dict[str, tuple[list[Tensor], Tensor]]:
        """Features of photos and fakes, one after the other, augmented alike: by distance, far and near.

        Beside them which classes are where. The fakes' features carry gradients to the generator.
        """
        size, both = batch.photos.shape[-1], torch.cat([batch.photos, fakes])
        both, targets = augment(both, batch.targets.repeat(2, 1, 1), self._draws, groups=2)
        window = int(size * NEAR_WINDOW)
        corners = random_corners(len(batch.photos), size, window, self._draws).repeat(2, 1)
        shown = {"far": (both, targets, FAR_SHOWN)}
        shown["near"] = (*take_windows(both, targets, corners, window), NEAR_SHOWN)
        seen = {}
        for distance, (pictures, named, share) in shown.items():
            side = int(size * share)
            resized = F.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)
            with self._autocast():
                seen[distance] = (split_forward(self._features[network], resized), class_shares(named))
        return {f"{network}_{distance}": view for distance, view in seen.items()}

    def _update_discriminators(
        self, batch: Batch, fakes: Tensor, views: dict[str, tuple[list[Tensor], Tensor]]
    ) -> dict[str, Tensor]:
        with self._autocast():
            verdicts = {
                name: self._heads[name]([level.detach() for level in features], shares)
                for name, (features, shares) in views.items()
            }
            photos, photo_targets = self._show(batch.photos, batch.targets)
            shown, targets = self._show(fakes, batch.targets)
            logits, whole = self.label_discriminator(torch.cat([photos, shown]))
        losses = {f"discriminator_{name}": discriminator_hinge(verdict) for name, verdict in verdicts.items()}
        optimizer_step(self._optimisers["feature_discriminators"], torch.stack(list(losses.values())).sum())
        (real, fake), (real_whole, fake_whole) = logits.chunk(2), whole.float().chunk(2)
        label_losses = {
            "discriminator_real": self._label_loss(real, photo_targets),
            "discriminator_fake": fake_loss(fake, targets),
            "discriminator_whole": self.settings.whole_weight
            * (F.softplus(-real_whole).mean() + F.softplus(fake_whole).mean()),
        }
        optimizer_step(
            self._optimisers["label_discriminator"], torch.stack(list(label_losses.values())).sum()
        )
        return losses | label_losses

    def _update_generator(
        self, batch: Batch, fakes: Tensor, views: dict[str, tuple[list[Tensor], Tensor]]
    ) -> dict[str, Tensor]:
        settings, own = self.settings, batch.own_rows
        for discriminator in (*self._heads.values(), self.label_discriminator):
            discriminator.requires_grad_(False).eval()  # spectral norms turn once a step
        weights = {"far": settings.far_weight, "near": settings.near_weight}
        losses = {name: torch.zeros((), device=self.device) for name in ("far", "near", "features")}
        with self._autocast():
            for name, (features, shares) in views.items():
                distance = name.split("_")[1]
                photos, pictures = zip(*(level.chunk(2) for level in features), strict=True)
                verdicts = self._heads[name](pictures, shares.chunk(2)[1])
                losses[distance] = losses[distance] + weights[distance] * generator_hinge(verdicts)
                apart = feature_loss([part[own] for part in pictures], [part[own] for part in photos])
                losses["features"] = losses["features"] + settings.feature_weight / len(views) * apart
            shown, targets = self._show(fakes, batch.targets)
            logits, whole = self.label_discriminator(shown)
        losses |= {
            "label": settings.label_weight * self._label_loss(logits, targets),
            "whole": settings.whole_weight * F.softplus(-whole.float()).mean(),
            "style": settings.style_weight
            * self._falling
            * style_loss(fakes, batch.targets, batch.styles, self.bank),
            "blur": settings.blur_weight
            * self._falling
            * blur_loss(fakes[own], batch.photos[own], settings.blur_size),
        }
        optimizer_step(self._optimisers["generator"], torch.stack(list(losses.values())).sum())
        for discriminator in self._heads.values():
            discriminator.train().heads.requires_grad_(True)
        self.label_discriminator.train().requires_grad_(True)
        return losses

    def _show(self, pictures: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What the label discriminator sees."""
        near = near_and_far(pictures, targets, self.settings.discriminator_view, self._draws)
        return augment(*near, self._draws)

    @torch.no_grad()
    def make_served(self, batches: list[Batch], bank: StyleBank) -> Generator:
        """Copy the averaged generator, with normalisation statistics measured on its own activations.

        Its seeds choose from ``bank``.
        """
        weights = {
            name: value for name, value in self.average.network.state_dict().items() if name != "styles"
        }
        config = self.average.network.config.model_copy(
            update={"num_styles": len(bank.styles), "tells_shown": True, "layout_side": LAYOUT_SIDE}
        )
        served = _place(Generator(config), self.device)
        bank_tensors = {"styles": bank.styles, "shown": bank.shown.float(), "layouts": bank.layouts}
        served.load_state_dict(weights | bank_tensors)
        for module in served.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean over the batches
        served.train()
        for number, batch in enumerate(batches):
            draws = torch.Generator(self.device).manual_seed(number)
            served(batch.inputs, batch.styles, self.draw_noise(batch, draws))
        return served.eval()  # type: ignore[no-any-return]

    def _groups(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (name, group) for name, optimiser in self._optimisers.items() for group in optimiser.param_groups
        ]

    def _adam(self, weights: Any) -> torch.optim.Adam:
        """Make an optimiser; each step sets its rate."""
        if self.device.type != "cuda":
            return torch.optim.Adam(weights, betas=BETAS)
        held = torch.zeros((), device=self.device)  # a captured step reads it
        return torch.optim.Adam(weights, held, BETAS, fused=True, capturable=True)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")


def split_forward(network: nn.Module, both: Tensor) -> list[Tensor]:
    """Features of photos and fakes (2B); only the fakes' half is kept for the way back."""
    photos, fakes = both.chunk(2)
    with torch.no_grad():
        real = network(photos)
    return [torch.cat(pair) for pair in zip(real, network(fakes), strict=True)]


def _place(module: Any, device: torch.device) -> Any:
    return module.to(device).to(memory_format=torch.channels_last)
