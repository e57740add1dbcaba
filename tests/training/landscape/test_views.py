"""Views: targets stay with their pixels near and far, both distances are shown, gradients pass."""

import torch

from training.landscape.views import near_and_far, take_windows


def numbered(size: int, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures whose pixels say their label, in squares of 8: a square's middle survives any shrinking."""
    squares = torch.arange(size // 8)
    labels = (squares[:, None] * 8 + squares).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels = labels.expand(count, size, size)
    return labels.unsqueeze(1).float(), labels


def test_small_pictures_are_shown_whole() -> None:
    pictures, labels = numbered(32)
    shown, shown_labels = near_and_far(pictures, labels, 32, torch.Generator())
    assert shown is pictures
    assert shown_labels is labels


def test_four_far_then_four_near_with_their_targets() -> None:
    pictures, labels = numbered(64)
    shown, shown_labels = near_and_far(pictures, labels, 16, torch.Generator().manual_seed(1))
    assert shown.shape == (8, 1, 16, 16)
    for row in range(4):
        assert len(shown_labels[row].unique()) == 64  # all squares
    for row in range(4, 8):
        assert len(shown_labels[row].unique()) <= 9  # 16 pixels touch 3 × 3 squares
        assert torch.equal(shown[row, 0], shown_labels[row].float())


def test_same_draws_same_views_and_gradients_pass() -> None:
    pictures, labels = numbered(64)
    pictures = pictures.clone().requires_grad_()
    first, _ = near_and_far(pictures, labels, 16, torch.Generator().manual_seed(2))
    again, _ = near_and_far(pictures, labels, 16, torch.Generator().manual_seed(2))
    other, _ = near_and_far(pictures, labels, 16, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    first.sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_gradients_are_put_where_windows_were_taken() -> None:
    pictures, labels = torch.randn(3, 2, 8, 8).requires_grad_(), torch.zeros(3, 8, 8, dtype=torch.int64)
    corners = torch.tensor([[0, 0], [2, 3], [4, 4]])
    taken, _ = take_windows(pictures, labels, corners, 4)
    sliced = torch.stack(
        [one[:, r : r + 4, c : c + 4] for one, (r, c) in zip(pictures, corners.tolist(), strict=True)]
    )
    assert torch.equal(taken, sliced)
    grad = torch.randn_like(sliced)
    ours, theirs = (torch.autograd.grad(one, pictures, grad)[0] for one in (taken, sliced))
    assert torch.equal(ours, theirs)
