"""Corrects the style bank by what the generator makes of it.

The discriminator rewards a class that is easily told, so the generator learns to paint grass greener and sand
paler than it is asked to. How far each class's colours are off on average is measured on training maps, and
the styles that seeds choose from are shifted against it: what is painted then has the photos' colours.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES
from models.landscape.seeds import draw_styles
from training.landscape.style_bank import NUM_COLOURS, StyleBank, measure_styles

ROUNDS = 4  # an answer is weaker than what is asked for, so that one is not enough
MAX_SHIFT = 1.0  # in a round, in the bank's units
MAPS_PER_CLASS = 30
MIN_SHARE = 0.02  # of a map that a class needs to count: of fewer pixels its colours are chance
CHUNK = 16  # pictures at a time


def correct_styles(served: Generator, bank: StyleBank, maps: NDArray[np.uint8]) -> None:
    """Shift ``served.styles`` in place, one shift a class.

    Args:
        served: with its normalisation statistics; its styles are the bank's.
        bank: what styles are measured in.
        maps: (M, S, S) palette ids without holes, of photos that it was trained on.
    """
    shown = find_shown(maps)
    rows = choose_maps(shown)
    styles = bank.styles.cpu().numpy()
    wanted = torch.from_numpy(np.stack([draw_styles(styles, int(row))[:, :NUM_COLOURS] for row in rows]))
    counts = torch.from_numpy(shown[rows]).float().unsqueeze(2)  # (R, N, 1)
    for _ in range(ROUNDS):
        error = ((_paint_colours(served, bank, maps, rows) - wanted) * counts).sum(dim=0)
        off = (error / counts.sum(dim=0).clamp(min=1)).clamp(-MAX_SHIFT, MAX_SHIFT)
        served.styles[..., :NUM_COLOURS] -= off.to(served.styles)


def find_shown(maps: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which classes count in which of the maps (M, S, S): (M, NUM_CLASSES)."""
    shares = [(maps == number).mean(axis=(1, 2)) for number in range(NUM_CLASSES)]
    return np.stack(shares, axis=1) >= MIN_SHARE


def choose_maps(shown: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of maps in which each class counts MAPS_PER_CLASS times, rare ones as often as there are."""
    draw = np.random.default_rng(0)
    chosen = np.zeros(len(shown), bool)
    for shows in sorted(shown.T, key=np.sum):
        others = draw.permutation(np.flatnonzero(shows & ~chosen))
        chosen[others[: max(MAPS_PER_CLASS - int((shows & chosen).sum()), 0)]] = True
    return np.flatnonzero(chosen)


def _paint_colours(
    served: Generator, bank: StyleBank, maps: NDArray[np.uint8], rows: NDArray[np.int64]
) -> Tensor:
    """Paint maps, each with its row as seed; the colours of each class, (R, N, NUM_COLOURS) in bank units."""
    device = served.styles.device
    engine = LandscapeEngine(served, str(device), {})
    parts = []
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        fakes = engine.forward([LandscapeRequest(maps[row], int(row)) for row in some])
        pictures = torch.from_numpy(np.stack(fakes)).permute(0, 3, 1, 2) / 127.5 - 1
        found, _ = measure_styles(pictures.to(device), torch.from_numpy(maps[some]).long().to(device))
        parts.append(bank.whiten(found)[..., :NUM_COLOURS].cpu())
    return torch.cat(parts)
