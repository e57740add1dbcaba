"""Drawn-like maps: palette ids without holes, coarser outlines, mostly the same places."""

import torch

from models.landscape.palette import NUM_CLASSES
from training.landscape.sketching import CELLS, _coarsen, _leave_out, draw_like


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


def test_cells_round_outlines() -> None:
    labels = leafy(2)
    shares = torch.nn.functional.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).float()
    for rows, columns, mode in CELLS:
        assert (outline(_coarsen(shares, rows, columns, mode)) < outline(labels)).all()


def test_small_classes_may_be_left_out_and_what_is_around_grows_in() -> None:
    labels = torch.zeros(64, 64, 64, dtype=torch.long)
    labels[:, 32:] = 7  # sky over grass,
    labels[:, 40:50, 40:50] = 5  # and a tree of 2.4 % in the grass
    found = _leave_out(
        torch.nn.functional.one_hot(labels, NUM_CLASSES).permute(0, 3, 1, 2).float(),
        torch.Generator().manual_seed(0),
    ).argmax(dim=1)
    has_tree = (found == 5).flatten(1).any(dim=1)
    assert 0 < has_tree.sum() < len(labels)
    assert torch.equal(found[has_tree], labels[has_tree])
    without = torch.where(labels == 5, 7, labels)
    assert torch.equal(found[~has_tree], without[~has_tree])


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
