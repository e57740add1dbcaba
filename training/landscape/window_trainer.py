"""One step of adversarial training on windows of pictures: what a CPU can do for a generator that is trained.

At sizes below an eighth of a picture's side the generator stays as it is. At an eighth it sees the whole, at
larger sizes a window, and learns: a step costs a third of one on whole pictures. A quarter of the area is
judged, as the trainer of whole pictures judges close up (`trainer.py`). Nobody sees the whole, so blurred
windows are held to what the generator painted before.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from models.ema import MovingAverage
from models.landscape.discriminator import Discriminator
from models.landscape.generator import SLOPE, Block, Conditions, Generator
from training.autocast import autocast
from training.landscape.augment import augment
from training.landscape.batches import Batch, Batches, mirror_all
from training.landscape.feature_discriminator import (
    FeatureDiscriminator,
    FrozenFeatures,
    class_shares,
    discriminator_hinge,
    feature_loss,
    generator_hinge,
)
from training.landscape.losses import LabelLoss, fake_loss
from training.landscape.settings import BatchSettings, Share
from training.landscape.trainer import BETAS, NEAR_SHOWN, NEAR_WINDOW, AdversarialTrainer, split_forward
from training.landscape.views import random_corners, take_windows
from training.optimizer_step import optimizer_step
from training.pretrained import load_trunk

CELL = 8  # pixels: a place of the largest size that sees the whole
WINDOW = 1 / 2  # of the side
MARGIN = 1 / 16  # of the side, around a window: painted, and not looked at, where the picture goes on
EDGE = 2  # cells that a window may be drawn beyond the picture, to be put at its edge
BLUR = 16  # pixels

Network = Literal["lite0", "lite1"]
Networks = Annotated[tuple[Network, ...], Field(min_length=1)]
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
Corners = Sequence[tuple[int, int]]  # row and column of each picture's window


class WindowSettings(BatchSettings):
    """The dials of one run."""

    batch: Annotated[int, Field(ge=4, multiple_of=4)] = 16
    steps: PositiveInt = 2000
    alone: NonNegativeInt = 150  # steps at first that teach the discriminators alone
    networks: Networks = ("lite0", "lite1")  # that discriminators look through
    discriminator_widths: Widths = (64, 128, 192, 256, 256)  # of the label discriminator
    discriminator_patch: PositiveInt = 2
    generator_rate: PositiveFloat = 1e-4
    feature_rate: PositiveFloat = 2e-4
    label_rate: PositiveFloat = 4e-4
    warm_up: NonNegativeInt = 100  # steps over which the generator's rate rises, others' in half of them
    cooldown: Share = 0.3  # of the steps, at the end, over which the rates fall to zero
    ema: Share = 0.998
    feature_weight: NonNegativeFloat = 1.0  # of the L1 between features, where the style is the photo's own
    hold_weight: NonNegativeFloat = 4.0  # of the L1 between blurred windows, now and before
    air_grain: PositiveFloat = 4.0  # in a checkpoint: how much louder is the finest noise of sky and clouds

    @model_validator(mode="after")
    def _lets_the_generator_learn(self) -> WindowSettings:
        if self.alone >= self.steps:
            raise ValueError(f"alone ({self.alone}) is no less than steps ({self.steps})")
        return self


class WindowConditions:
    """What ``whole`` tells of a window of each map, to blocks that paint only these."""

    def __init__(self, whole: Conditions, cells: Corners, side: int, cells_in_all: int) -> None:
        """Look at ``side`` of a map's ``cells_in_all`` cells, from ``cells`` on."""
        self._whole, self._cells, self._side, self._all = whole, cells, side, cells_in_all
        self.rows = whole.rows

    def at(self, shape: tuple[int, int]) -> Tensor:
        """As ``Conditions.at``."""
        return self._cut(self._whole.at(self._of_all(shape)), shape)

    def shares(self, shape: tuple[int, int]) -> Tensor:
        """As ``Conditions.shares``."""
        return self._cut(self._whole.shares(self._of_all(shape)), shape)

    def _of_all(self, shape: tuple[int, int]) -> tuple[int, int]:
        side = shape[0] * self._all // self._side
        return side, side

    def _cut(self, channels: Tensor, shape: tuple[int, int]) -> Tensor:
        each = shape[0] // self._side
        corners = [(each * row, each * column) for row, column in self._cells]
        return cut(channels, corners, shape[0]).contiguous(memory_format=torch.channels_last)


def cut(whole: Tensor, corners: Corners, side: int) -> Tensor:
    """Take a window of ``side``² out of each of (B, ..., S, S)."""
    pairs = zip(whole, corners, strict=True)
    return torch.stack([one[..., row : row + side, column : column + side] for one, (row, column) in pairs])


@dataclass(frozen=True)
class Windows:
    """Windows of one step's photos and pictures: all (B, 3, W, W) in [-1, 1]."""

    photos: Tensor
    fakes: Tensor
    before: Tensor  # as the generator painted them before it was trained further
    targets: Tensor  # (B, W, W) int64: what they are judged by

    def of(self, rows: slice) -> Windows:
        """Those of some pictures."""
        return Windows(self.photos[rows], self.fakes[rows], self.before[rows], self.targets[rows])


class WindowPainter:
    """Paints windows of pictures as the generator paints the pictures."""

    def __init__(self, image_size: int, cells: Corners) -> None:
        """Lay windows, with margins, at ``cells``; those at a picture's edge have none there."""
        self.in_all = image_size // CELL
        self.cells, self.num_cells = cells, num_cells(image_size)
        self.side = int(image_size * WINDOW)
        last, margin = self.in_all - self.num_cells, self.num_cells * CELL - self.side
        inner = {0: 0, last: margin}  # where a window lies within its margins
        self._inner = [(inner.get(row, margin // 2), inner.get(column, margin // 2)) for row, column in cells]
        pairs = zip(cells, self._inner, strict=True)
        self.corners = [(CELL * r + row, CELL * c + column) for (r, c), (row, column) in pairs]

    def begin(self, generator: Generator, conditions: Conditions, noise: Sequence[Tensor]) -> Tensor:
        """All sizes up to that of cells, of whole pictures."""
        x: Tensor = generator.stem(conditions.at((noise[0].shape[2], noise[0].shape[3])))
        for block, draw in zip(generator.blocks, noise, strict=True):
            if draw.shape[2] < self.in_all:
                x = block(x, conditions, draw)
        return x

    def finish(
        self, generator: Generator, x: Tensor, conditions: Conditions, noise: Sequence[Tensor]
    ) -> Tensor:
        """The windows, (B, 3, side, side) in [-1, 1], of what ``begin`` made."""
        windows = WindowConditions(conditions, self.cells, self.num_cells, self.in_all)
        for block, draw in zip(generator.blocks, noise, strict=True):
            if draw.shape[2] == self.in_all:
                x = cut(block(x, conditions, draw), self.cells, self.num_cells)
            elif draw.shape[2] > self.in_all:
                each = draw.shape[2] // self.in_all
                corners = [(each * row, each * column) for row, column in self.cells]
                x = block(x, windows, cut(draw, corners, each * self.num_cells))
        painted = torch.tanh(generator.head(F.leaky_relu(x, SLOPE))).float()
        return cut(painted, self._inner, self.side)


def num_cells(image_size: int) -> int:
    """How many cells a window and its margins are wide."""
    return round(image_size * (WINDOW + 2 * MARGIN)) // CELL


def learnt_blocks(generator: Generator) -> list[Block]:
    """Those that paint windows, and the one before."""
    sizes = zip(generator.blocks, generator.config.sizes, strict=True)
    return [block for block, size in sizes if size >= generator.config.image_size // CELL]  # type: ignore[misc]


class WindowTrainer(AdversarialTrainer):
    """Owns a generator, its discriminators, their optimisers and the averaged generator."""

    def __init__(self, settings: WindowSettings, generator: Generator, batches: Batches) -> None:
        """Train ``generator`` itself further, whose norms' statistics stay."""
        torch.manual_seed(settings.seed)  # initial weights of discriminators
        self.settings, self._batches, self._device = settings, batches, batches.device
        self.generator = generator.eval().requires_grad_(requires_grad=False)
        self._before = copy.deepcopy(generator)
        for part in (*learnt_blocks(generator), generator.head):
            part.requires_grad_(requires_grad=True)
        self.average = MovingAverage(generator, settings.ema)
        self._features = {name: self._place(FrozenFeatures(load_trunk(name))) for name in settings.networks}
        self._heads: dict[str, FeatureDiscriminator] = {
            f"{name}_near": self._place(FeatureDiscriminator(features.widths))
            for name, features in self._features.items()
        }
        self.feature_discriminators = nn.ModuleDict(self._heads)
        self.label_discriminator = self._place(
            Discriminator(settings.discriminator_widths, settings.discriminator_patch)
        )
        self._label_loss = LabelLoss(self._device)
        learnt = [weight for head in self._heads.values() for weight in head.learnt()]
        self._optimisers = {
            "generator": torch.optim.Adam(
                [weight for weight in generator.parameters() if weight.requires_grad], betas=BETAS
            ),
            "feature_discriminators": torch.optim.Adam(learnt, betas=BETAS),
            "label_discriminator": torch.optim.Adam(self.label_discriminator.parameters(), betas=BETAS),
        }

    def train_step(self, step: int) -> dict[str, Tensor]:
        """Step number ``step``: update discriminators, then the generator and the average; losses by name."""
        self._set_rates(step)
        draws = torch.Generator(self._device).manual_seed(self.settings.seed * 1_000_003 + step)
        network = self.settings.networks[step % len(self.settings.networks)]
        learns = step >= self.settings.alone
        batch = self._batches.make(self._batches.rows(step), draws)
        windows = self._paint(batch, draws, learns)
        features, shares = self._look_close(network, windows, draws)
        head = self._heads[f"{network}_near"]
        # The label discriminator is slow, and sees the one half, then the other, with either network.
        middle = len(windows.fakes) // 2
        half = windows.of(slice(middle) if step // 2 % 2 else slice(middle, None))
        losses = self._update_discriminators(head, features, shares, half, draws)
        if learns:
            held = self.settings.hold_weight * (_blur(windows.fakes) - _blur(windows.before)).abs().mean()
            losses |= self._update_generator(head, features, shares, half, draws, batch.own_rows, held)
            self.average.update(step + 1 - self.settings.alone)
        return {name: loss.detach() for name, loss in losses.items()}

    def _paint(self, batch: Batch, draws: torch.Generator, learns: bool) -> Windows:
        config = self.generator.config
        noise = [
            torch.randn((len(batch.photos), *shape), generator=draws, device=self._device)
            for shape in config.noise_shapes(config.image_size, config.image_size)
        ]
        painter = WindowPainter(config.image_size, _choose_cells(len(batch.photos), config.image_size, draws))
        tints = mirror_all(batch.inputs, batch.styles)
        with autocast(self._device):
            conditions = Conditions(batch.inputs, batch.styles, tints)
            with torch.no_grad():
                x = painter.begin(self.generator, conditions, noise)
                before = painter.finish(self._before, x, conditions, noise)
            with torch.set_grad_enabled(learns):
                fakes = painter.finish(self.generator, x, conditions, noise)
        photos = cut(batch.photos, painter.corners, painter.side)
        return Windows(photos, fakes, before, cut(batch.targets, painter.corners, painter.side))

    def _look_close(
        self, network: Network, windows: Windows, draws: torch.Generator
    ) -> tuple[list[Tensor], Tensor]:
        """Features of photos and fakes, one after the other, and which classes are where."""
        size, count = self.generator.config.image_size, len(windows.photos)
        both = torch.cat([windows.photos, windows.fakes])
        both, targets = augment(both, windows.targets.repeat(2, 1, 1), draws, groups=2)
        side, shown = int(size * NEAR_WINDOW), int(size * NEAR_SHOWN)
        corners = random_corners(count, both.shape[-1], side, draws).repeat(2, 1)
        both, targets = take_windows(both, targets, corners, side)
        enlarged = F.interpolate(both, size=(shown, shown), mode="bilinear", align_corners=False)
        with autocast(self._device):
            return split_forward(self._features[network], enlarged), class_shares(targets)

    def _update_discriminators(
        self,
        head: FeatureDiscriminator,
        features: list[Tensor],
        shares: Tensor,
        half: Windows,
        draws: torch.Generator,
    ) -> dict[str, Tensor]:
        with autocast(self._device):
            near = discriminator_hinge(head([level.detach() for level in features], shares))
        optimizer_step(self._optimisers["feature_discriminators"], near)
        photos, photo_targets = augment(half.photos, half.targets, draws)
        fakes, fake_targets = augment(half.fakes.detach(), half.targets, draws)
        with autocast(self._device):
            logits, _ = self.label_discriminator(torch.cat([photos, fakes]))
        real, fake = logits.chunk(2)
        losses = {
            "discriminator_real": self._label_loss(real, photo_targets),
            "discriminator_fake": fake_loss(fake, fake_targets),
        }
        optimizer_step(self._optimisers["label_discriminator"], torch.stack(list(losses.values())).sum())
        return {"discriminator_near": near} | losses

    def _update_generator(
        self,
        head: FeatureDiscriminator,
        features: list[Tensor],
        shares: Tensor,
        half: Windows,
        draws: torch.Generator,
        own: Tensor,
        held: Tensor,
    ) -> dict[str, Tensor]:
        discriminators = (head.heads, self.label_discriminator)
        for discriminator in discriminators:
            discriminator.requires_grad_(requires_grad=False).eval()  # spectral norms turn once a step
        photos, fakes = zip(*(level.chunk(2) for level in features), strict=True)
        shown, targets = augment(half.fakes, half.targets, draws)
        with autocast(self._device):
            apart = feature_loss([fake[own] for fake in fakes], [photo[own] for photo in photos])
            losses = {
                "near": generator_hinge(head(fakes, shares.chunk(2)[1])),
                "features": self.settings.feature_weight * apart,
                "label": self._label_loss(self.label_discriminator(shown)[0], targets),
                "hold": held,
            }
        optimizer_step(self._optimisers["generator"], torch.stack(list(losses.values())).sum())
        for discriminator in discriminators:
            discriminator.train().requires_grad_(requires_grad=True)
        return losses

    def _set_rates(self, step: int) -> None:
        settings = self.settings
        left = min((settings.steps - step) / max(settings.cooldown * settings.steps, 1), 1.0)
        begun = min((step + 1) / (settings.warm_up / 2 + 1), 1.0)  # of the discriminators
        learning = min(max(step + 1 - settings.alone, 0) / (settings.warm_up + 1), 1.0)
        rates = {
            "generator": settings.generator_rate * learning,
            "feature_discriminators": settings.feature_rate * begun,
            "label_discriminator": settings.label_rate * begun,
        }
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rates[name] * left

    def _place(self, module: Any) -> Any:
        return module.to(self._device).to(memory_format=torch.channels_last)


def _choose_cells(count: int, image_size: int, draws: torch.Generator) -> Corners:
    """Where windows begin; at a picture's edges, which paint otherwise, more often than by chance."""
    last = image_size // CELL - num_cells(image_size)
    drawn = torch.randint(-EDGE, last + EDGE + 1, (count, 2), generator=draws, device=draws.device)
    return [(row, column) for row, column in drawn.clamp(0, last).tolist()]


def _blur(windows: Tensor) -> Tensor:
    return F.avg_pool2d(windows, BLUR, BLUR // 2)
