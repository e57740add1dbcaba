"""Frees a trained generator of the bands that it paints below level lines, without photos or discriminators.

A line that looks alike from everywhere along it is answered by straight bands at one distance whatever the
seed, and no single picture gives a discriminator reason to object. So a copy of the generator learns to
paint maps with level lines as the generator does, less what the pictures of several seeds have in common
below the line; and other maps as they were painted before.

    python -m training.landscape.level_lines CHECKPOINT --pack photos.pack --out FOLDER

What was measured of CHECKPOINT isn't told of what comes of it.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from models.checkpoint import load_weights, read_config
from models.ema import MovingAverage
from models.landscape.config import LandscapeConfig
from models.landscape.generator import Generator
from models.landscape.outlines import find_outlines, naturalise
from models.landscape.palette import CLASS_NAMES
from training.arguments import pick_device, positive
from training.autocast import autocast
from training.landscape.batches import Batches, mirror_all
from training.landscape.dataset import plain_maps
from training.landscape.export import save_further
from training.landscape.settings import PRESETS, LandscapeSettings
from training.landscape.style_bank import make_bank
from training.optimizer_step import optimizer_step
from training.photos.pack import read_packs

RATE, WARM_UP, COOLDOWN = 6e-5, 20, 0.5  # steps up to the rate, share of the steps down to 0
BETAS = (0.9, 0.999)
EMA = 0.98
OTHERS, LEVEL = 4, 8  # pictures a step: of photos' maps, and of one level map
SAY_EVERY = 50
FIRST_BATCH = 10**8  # of the photos' maps: no run trains on it
BAND_SHARE = 1 / 4  # of a row, that the loss of bands averages over
BAND_WEIGHT = 4.0  # of that loss, beside the pixels'
LOWER = MappingProxyType(  # what lies below the line, and how often
    {"sea": 6, "grass": 3, "sand": 3, "field": 2, "lake": 2, "snow": 1, "earth": 1, "river": 1, "plant": 1}
)
STRIPS = ("mountain", "tree", "mountain", "tree", "snow")  # between sky and line, now and then
SHORES = ("sand", "grass", "rock", "snow")  # below water
FRONTS = ("rock", "tree", "mountain", "grass", "sand")  # before the line, from a side
# Pixels.
LEAST = 40  # at a distance, for it to have a mean
WINDOW = 31  # round about
SPREAD = 12.0  # over which a step is drawn out
LEFT = 3, 12  # below a line: steps up to the first stay, from the second on all is smoothed

Map = NDArray[np.uint8]
Array = NDArray[np.float32]


def draw_level_map(draws: np.random.Generator, size: int) -> tuple[Map, list[int]]:
    """Draw a map with level lines, (size, size) palette ids, and tell the classes below them."""
    share = np.array(list(LOWER.values())) / sum(LOWER.values())
    name = str(draws.choice(list(LOWER), p=share))
    line, lower = int(draws.uniform(0.24, 0.74) * size), [_id(name)]
    labels = np.full((size, size), _id("sky"), np.uint8)
    if draws.random() < 0.25:
        labels[: int(draws.uniform(0.06, 0.2) * size)] = _id("cloud")
    if draws.random() < 0.4:
        labels[line - int(draws.uniform(0.03, 0.17) * size) : line] = _id(str(draws.choice(STRIPS)))
    labels[line:] = lower[0]
    if name in ("sea", "lake", "river") and draws.random() < 0.35:
        shore = _id(str(draws.choice(SHORES)))
        labels[int(draws.uniform(line / size + 0.1, 1) * size) :] = shore
        lower.append(shore)
    if draws.random() < 0.35:
        labels[_front(draws, size, line)] = _id(str(draws.choice(FRONTS)))
    if draws.random() < 0.5:
        labels = naturalise(labels, find_outlines(labels), int(draws.integers(2**31)))
    return labels, lower


def _front(draws: np.random.Generator, size: int, line: int) -> NDArray[np.bool_]:
    """What comes in from a side: (size, size)."""
    row, column = np.mgrid[:size, :size]
    inwards = column if draws.random() < 0.5 else size - 1 - column
    top = line + draws.uniform(-0.2, 0.16) * size + draws.uniform(-0.3, 0.9) * inwards
    is_front: NDArray[np.bool_] = (inwards < draws.uniform(0.12, 0.5) * size) & (row > top)
    return is_front


def _id(name: str) -> int:
    return CLASS_NAMES.index(name)


def smooth_below(pictures: Array, labels: Map, classes: list[int]) -> Array:
    """Smooth what pictures of one map have in common below the tops of ``classes``: the steps of rows' means.

    Where such a step is larger in the mean over all seeds than round about, it is made as small as there, and
    comes little by little. Waves are narrower than a row and elsewhere with each seed: they stay.

    Args:
        pictures: (K, 3, H, W) in [-1, 1], of K seeds.
        labels: (H, W).

    Returns:
        (K, 3, H, W).
    """
    smoothed = pictures.copy()
    for number in classes:
        inside = labels == number
        distance = np.arange(len(labels))[:, None] - np.argmax(inside, axis=0)
        counts = np.bincount(distance[inside], minlength=len(labels))
        few = np.flatnonzero(counts < LEAST)
        depth = int(few[0]) if len(few) else len(labels)
        if depth < 2 * SPREAD:
            continue
        inside &= distance < depth
        where = distance[inside]
        for one, change in zip(smoothed, _changes(pictures[:, :, inside], where, depth), strict=True):
            one[:, inside] += change[:, where]
    return smoothed.clip(-1, 1)


def _changes(values: Array, where: NDArray[np.int64], depth: int) -> Array:
    """What is added at each distance, (K, 3, depth), to ``values`` (K, 3, P), which are ``where`` (P,)."""
    counts = np.bincount(where, minlength=depth)
    flat = values.reshape(-1, len(where))
    sums = np.stack([np.bincount(where, one, minlength=depth) for one in flat])
    means = (sums / counts).reshape(*values.shape[:2], depth)
    steps = np.diff(means, axis=2, prepend=means[..., :1])
    common = np.abs(steps.mean(axis=1)).mean(axis=0)  # (depth,): how large they are over all seeds
    usual = np.minimum(ndimage.median_filter(common, WINDOW, mode="nearest"), common)
    distance = np.arange(depth)
    removed = steps * (1 - np.where(distance < LEFT[0], 1, usual / (common + 1e-6)))
    fallen = removed.cumsum(axis=2)
    change = ndimage.gaussian_filter1d(fallen, SPREAD, axis=2, mode="nearest") - fallen
    return np.asarray(change * np.clip(distance / LEFT[1], 0, 1), np.float32)


def remove_bands(generator: Generator, batches: Batches, steps: int, say: Callable[[str], None]) -> Generator:
    """Return a copy of a trained ``generator`` that paints no bands; norms' statistics are as they were.

    Args:
        generator: with its bank; it isn't changed.
        batches: whose maps are painted as before.
        steps: of LEVEL seeds of a level map and OTHERS maps of photos.
        say: is told how it goes.
    """
    device, size = batches.device, generator.config.image_size
    teacher = copy.deepcopy(generator).eval().requires_grad_(False)
    student = copy.deepcopy(teacher).requires_grad_(True)
    average = MovingAverage(student, EMA)
    optimiser = torch.optim.Adam(student.parameters(), RATE, BETAS)
    began = time.monotonic()
    for step in range(steps):
        draws = np.random.default_rng([0, step])
        batch = batches(FIRST_BATCH + step)
        one, lower = draw_level_map(draws, size)
        drawn = torch.from_numpy(one).to(device).expand(LEVEL, -1, -1)
        labels = torch.cat([batch.inputs[:OTHERS], drawn.long()])
        rows = torch.from_numpy(draws.integers(len(generator.styles), size=LEVEL)).to(device)
        styles = torch.cat([batch.styles[:OTHERS], generator.styles[rows].float()])
        noise = [
            torch.from_numpy(draws.standard_normal((len(labels), *shape), np.float32)).to(device)
            for shape in generator.config.noise_shapes(size, size)
        ]
        inputs = (labels, styles, noise, mirror_all(labels, styles))
        with torch.no_grad(), autocast(device):
            target = teacher(*inputs).float()
        target[OTHERS:] = torch.from_numpy(smooth_below(target[OTHERS:].cpu().numpy(), one, lower)).to(device)
        with autocast(device):
            painted = student(*inputs).float()
        loss = _difference(painted, target)
        for group in optimiser.param_groups:
            group["lr"] = RATE * min((step + 1) / WARM_UP, (steps - step) / (COOLDOWN * steps), 1)
        optimizer_step(optimiser, loss)
        average.update(step + 1)
        if step % SAY_EVERY == SAY_EVERY - 1:
            say(f"level lines: step {step + 1} of {steps}, {time.monotonic() - began:.0f} s")
    return average.network.eval()


def _difference(painted: Tensor, target: Tensor) -> Tensor:
    """Of pixels, and of averages along rows; squared, so that it ends where nothing is to be changed."""
    apart = painted - target
    width = int(apart.shape[3] * BAND_SHARE)
    bands = F.avg_pool2d(apart, (1, width), stride=(1, width // 2))
    loss: Tensor = apart.square().mean() + BAND_WEIGHT * bands.square().mean()
    return loss


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--pack", type=Path, action="append", required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--steps", type=positive, default=LandscapeSettings.model_fields["level_steps"].default
    )
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    device = pick_device(args.device, None)
    generator = Generator(read_config(args.checkpoint, LandscapeConfig))
    load_weights(args.checkpoint, generator)
    data = read_packs(args.pack)
    settings = PRESETS["gpu"].model_copy(update={"batch": OTHERS, "image_size": generator.config.image_size})
    bank = make_bank(data.photos, plain_maps(data.maps))
    batches = Batches(data.shrink(settings.image_size), bank, settings, device)
    generator = generator.float().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    student = remove_bands(generator, batches, args.steps, partial(print, flush=True))
    how = "of unlearning bands below level lines (`training/landscape/level_lines.py`)"
    save_further(args.out, args.checkpoint, student, "level_steps", args.steps, how)


if __name__ == "__main__":
    main()
