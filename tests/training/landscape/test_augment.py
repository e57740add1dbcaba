"""Augmentation: picture and labels move together, what is hidden is not judged, gradients pass."""

import io

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from models.landscape.palette import UNLABELLED
from training.landscape.augment import NOISE, Draws, add_noise, augment, cut_out, move, shift_colours
from training.photos.pack import QUALITY


def draws(count: int = 8, groups: int = 1) -> Draws:
    return Draws(count // groups, groups, torch.Generator().manual_seed(0))


def striped() -> tuple[torch.Tensor, torch.Tensor]:
    labels = (torch.arange(16).repeat_interleave(16).view(1, 16, 16) % 5).repeat(8, 1, 1)
    return (labels.unsqueeze(1).expand(8, 3, 16, 16) + 1) / 10, labels


def test_labels_move_with_their_pixels() -> None:
    pictures, labels = striped()
    moved, moved_labels = move(pictures, labels, draws())
    inside = moved_labels != UNLABELLED
    assert torch.equal(moved[:, 0][inside], (moved_labels[inside] + 1) / 10)
    assert (moved[:, 0][~inside] == 0).all()
    assert not torch.equal(moved_labels, labels)


def test_cut_outs_are_not_judged() -> None:
    pictures, labels = striped()
    cut, cut_labels = cut_out(pictures, labels, draws())
    hidden = cut_labels == UNLABELLED
    assert hidden.any(dim=2).any(dim=1).all()
    assert (cut[:, 1][hidden] == 0).all()
    assert torch.equal(cut[:, 1][~hidden], pictures[:, 1][~hidden])


def test_same_draws_same_result_and_gradients() -> None:
    pictures, labels = striped()
    pictures = pictures.clone().requires_grad_()
    first, _ = augment(pictures, labels, torch.Generator().manual_seed(3))
    again, _ = augment(pictures, labels, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    first.sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0


def test_colours_shift_by_picture() -> None:
    pictures, _ = striped()
    shifted = shift_colours(pictures, draws())
    assert not torch.allclose(shifted[0], shifted[1])


def test_groups_change_in_the_same_way() -> None:
    pictures, labels = striped()
    both, both_labels = augment(pictures.clone(), labels, torch.Generator().manual_seed(0), groups=2)
    assert torch.equal(both_labels[:4], both_labels[4:])
    assert torch.allclose(both[:4], both[4:])
    assert not torch.allclose(both[0], both[1])


def test_noise_is_louder_than_what_a_pack_leaves_of_photos() -> None:
    photo = np.random.default_rng(0).normal(128, 40, (3, 8, 8)).repeat(8, axis=1).repeat(8, axis=2)
    pixels = gaussian_filter(photo, (0, 2, 2)).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY)
    with Image.open(file) as kept:
        left = np.asarray(kept.convert("RGB")).astype(float) - pixels
    noise = add_noise(torch.zeros(8, 3, 64, 64), draws())
    loud = noise.std(dim=(1, 2, 3))
    assert (loud > NOISE[0] * 0.95).all()
    assert loud.mean() * 127.5 > left.std()
    assert not torch.equal(noise[0], noise[1])
