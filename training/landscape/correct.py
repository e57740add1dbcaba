"""Corrects the bank of looks by what the generator makes of it.

The discriminator rewards a class that is easily told, so the generator learns to paint grass greener and sand
paler than it is asked to. How far each class's colours are off on average is measured on training maps, and
the looks that seeds choose from are shifted against it: what is painted then has the photos' colours.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES
from models.landscape.seeds import draw_looks
from training.landscape.looks import NUM_COLOURS, LookBank, measure_looks

ROUNDS = 4  # an answer is weaker than what is asked for, so that one is not enough
MAX_SHIFT = 1.0  # in a round, in the bank's units
MAPS_PER_CLASS = 30
MIN_SHARE = 0.02  # of a map that a class needs to count: of fewer pixels its colours are chance
CHUNK = 16  # pictures at a time


def correct_looks(served: Generator, bank: LookBank, maps: NDArray[np.uint8]) -> None:
    """Shift ``served.styles`` in place, one shift a class.

    Args:
        served: with its normalisation statistics; its styles are the bank's.
        bank: what looks are measured in.
        maps: (M, S, S) palette ids without holes, of photos that it was trained on.
    """
    asked = served.styles.cpu().numpy().copy()
    rows = choose_maps(maps)
    for _ in range(ROUNDS):
        off = _measure_error(served, bank, asked, maps, rows).clamp(-MAX_SHIFT, MAX_SHIFT)
        served.styles[..., : off.shape[1]] -= off.to(served.styles)


def choose_maps(maps: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of maps in which each class counts MAPS_PER_CLASS times, rare ones as often as there are."""
    shows = np.stack([(maps == number).mean(axis=(1, 2)) >= MIN_SHARE for number in range(NUM_CLASSES)])
    draw = np.random.default_rng(0)
    chosen = np.zeros(len(maps), bool)
    for shown in sorted(shows, key=np.sum):
        others = draw.permutation(np.flatnonzero(shown & ~chosen))
        chosen[others[: max(MAPS_PER_CLASS - int((shown & chosen).sum()), 0)]] = True
    return np.flatnonzero(chosen)


def _measure_error(
    served: Generator,
    bank: LookBank,
    asked: NDArray[np.float32],
    maps: NDArray[np.uint8],
    rows: NDArray[np.int64],
) -> torch.Tensor:
    """How far painted colours are from those ``asked`` (M, N, D) for, on average: (N, NUM_COLOURS)."""
    device = served.styles.device
    engine = LandscapeEngine(served, str(device), {})
    total, count = torch.zeros(NUM_CLASSES, NUM_COLOURS), torch.zeros(NUM_CLASSES, 1)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        painted = engine.forward([LandscapeRequest(maps[row], int(row)) for row in some])
        pictures = torch.from_numpy(np.stack(painted)).permute(0, 3, 1, 2) / 127.5 - 1
        labels = torch.from_numpy(maps[some]).long()
        found, _ = measure_looks(pictures.to(device), labels.to(device))
        wanted = torch.from_numpy(np.stack([draw_looks(asked, int(row)) for row in some]))
        error = bank.whiten(found).cpu()[..., :NUM_COLOURS] - wanted[..., :NUM_COLOURS]
        shares = torch.stack([(labels == number).float().mean(dim=(1, 2)) for number in range(NUM_CLASSES)])
        counts = (shares.T >= MIN_SHARE).float().unsqueeze(2)  # (B, N, 1)
        total += (error * counts).sum(dim=0)
        count += counts.sum(dim=0)
    return total / count.clamp(min=1)
