"""Drawn-like maps: palette ids without holes, coarser outlines, mostly the same places."""

import torch

from models.landscape.palette import NUM_CLASSES
from training.landscape.sketching import CELLS, draw_like


def leafy(count: int = 2 * (len(CELLS) + 1), size: int = 128) -> torch.Tensor:
    """Sky over trees whose edge is ragged by single pixels."""
    draws = torch.Generator().manual_seed(5)
    edge = size // 2 + torch.randint(-8, 9, (count, 1, size), generator=draws)
    rows = torch.arange(size).view(1, size, 1)
    return torch.where(rows < edge, 0, 5)


def outline(labels: torch.Tensor) -> torch.Tensor:
    """Pixels that differ from their right or lower neighbour: (B,)."""
    across = (labels.diff(dim=2) != 0).flatten(1).sum(dim=1)
    return across + (labels.diff(dim=1) != 0).flatten(1).sum(dim=1)


def test_outlines_get_simpler_and_places_stay() -> None:
    labels = leafy()
    drawn = draw_like(labels, torch.Generator().manual_seed(0))
    assert drawn.shape == labels.shape
    assert set(drawn.unique().tolist()) <= {0, 5}
    assert ((drawn == labels).float().mean(dim=(1, 2)) > 0.8).all()
    rounded = [way for way, (_, mode) in enumerate(CELLS) if mode == "bilinear"]
    is_rounded = torch.isin(torch.arange(len(labels)) % (len(CELLS) + 1), torch.tensor(rounded))
    assert (outline(drawn) < outline(labels))[is_rounded].all()


def test_same_draws_same_maps() -> None:
    labels = leafy()
    first, again, other = (draw_like(labels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_class_survives() -> None:
    labels = torch.arange(NUM_CLASSES).repeat(8)[: 16 * 8].view(1, 8, 16)[:, :, :8]
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2).expand(5, 64, 64).contiguous()
    drawn = draw_like(labels, torch.Generator().manual_seed(0))
    assert (drawn < NUM_CLASSES).all()
    assert (drawn >= 0).all()
