"""Views: labels stay with their pixels near and far, every distance is shown, gradients pass."""

import torch

from training.landscape.views import view


def numbered(size: int, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures whose pixels say their label, in squares of 8: a square's middle survives any shrinking."""
    squares = torch.arange(size // 8)
    labels = (squares[:, None] * 8 + squares).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels = labels.expand(count, size, size)
    return labels.unsqueeze(1).float(), labels


def test_small_pictures_are_shown_whole() -> None:
    pictures, labels = numbered(32)
    shown, shown_labels = view(pictures, labels, 32, torch.Generator())
    assert shown is pictures
    assert shown_labels is labels


def test_near_and_far_evenly_and_labels_with_their_pixels() -> None:
    pictures, labels = numbered(64)
    marks = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 64, 64)  # which picture it is
    shown, shown_labels = view(
        torch.cat([pictures, marks], dim=1), labels, 16, torch.Generator().manual_seed(1)
    )
    assert shown.shape == (8, 2, 16, 16)
    assert sorted(shown[:, 1, 0, 0].tolist()) == list(range(8))  # each once
    whole = shown[:, 0].flatten(1).max(dim=1).values - shown[:, 0].flatten(1).min(dim=1).values
    assert (whole > 60).sum() in (2, 3)  # 64 is seen in three ways: whole, half, a quarter
    near = [row for row in range(8) if len(shown_labels[row].unique()) <= 9]  # 16 pixels touch 3 × 3 squares
    assert len(near) in (2, 3)
    for row in near:
        assert torch.equal(shown[row, 0], shown_labels[row].float())


def test_same_draws_same_views_and_gradients_pass() -> None:
    pictures, labels = numbered(64)
    pictures = pictures.clone().requires_grad_()
    first, _ = view(pictures, labels, 16, torch.Generator().manual_seed(2))
    again, _ = view(pictures, labels, 16, torch.Generator().manual_seed(2))
    other, _ = view(pictures, labels, 16, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    first.sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad.flatten(1).abs().sum(dim=1) > 0).all()
