"""Looks: measured against hand-made pictures, differentiable, and a bank without gaps."""

import numpy as np
import pytest
import torch

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.looks import LOOK_SIZE, make_bank, measure_looks


def picture_of(top: tuple[float, float, float], bottom: tuple[float, float, float]) -> torch.Tensor:
    picture = torch.empty(1, 3, 64, 64)
    picture[:, :, :32] = torch.tensor(top).view(1, 3, 1, 1)
    picture[:, :, 32:] = torch.tensor(bottom).view(1, 3, 1, 1)
    return picture


def test_means_spreads_and_slopes():
    labels = torch.zeros((1, 64, 64), dtype=torch.long)
    labels[:, 32:] = 9
    looks, present = measure_looks(picture_of((0.6, 0.3, 0.0), (-0.5, -0.5, -0.5)), labels)
    assert present[0].nonzero().flatten().tolist() == [0, 9]
    torch.testing.assert_close(looks[0, 0, :3], torch.tensor([0.3, 0.6, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(looks[0, 9, :3], torch.tensor([-0.5, 0.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(looks[0, 0, 3:6], torch.full((3,), 0.01), atol=1e-3, rtol=0)  # flat: the floor
    torch.testing.assert_close(looks[0, 0, 6:], torch.zeros(3), atol=1e-3, rtol=0)

    whole = torch.zeros((1, 64, 64), dtype=torch.long)
    looks, _ = measure_looks(picture_of((1, 1, 1), (0, 0, 0)), whole)
    assert looks[0, 0, 0].item() == pytest.approx(0.5)
    assert looks[0, 0, 3].item() == pytest.approx(0.5, abs=1e-3)
    assert looks[0, 0, 6].item() > 0.5  # lighter towards the top


def test_holes_belong_to_no_class():
    labels = torch.full((1, 64, 64), UNLABELLED)
    labels[:, :32] = 3
    looks, present = measure_looks(picture_of((0.2, 0.2, 0.2), (1, -1, 1)), labels)
    assert present.sum() == 1
    torch.testing.assert_close(looks[0, 3, :3], torch.tensor([0.2, 0.0, 0.0]), atol=1e-4, rtol=0)


def test_gradients_reach_the_picture_even_where_it_is_flat():
    picture = picture_of((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).requires_grad_()
    looks, _ = measure_looks(picture, torch.zeros((1, 64, 64), dtype=torch.long))
    looks[0, 0].sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()
    assert picture.grad.abs().sum() > 0


def test_bank_borrows_from_the_photo_most_alike():
    photos = np.zeros((3, 64, 64, 3), dtype=np.uint8)
    maps = np.zeros((3, 64, 64), dtype=np.uint8)
    photos[0], photos[1], photos[2] = 200, 205, 40  # photo 0 is of sky alone, like 1 and unlike 2
    maps[1:, 32:] = 9
    photos[1, 32:], photos[2, 32:] = 90, 20
    bank = make_bank(photos, maps)
    assert bank.looks.shape == (3, NUM_CLASSES, LOOK_SIZE)
    assert torch.equal(bank.looks[0, 9], bank.looks[1, 9])
    assert not torch.equal(bank.looks[0, 9], bank.looks[2, 9])
    assert torch.isfinite(bank.looks).all()
