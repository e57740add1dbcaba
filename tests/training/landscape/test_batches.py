"""Batches are a pure function of the step, whoever makes them, and cover every photo once an epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.landscape.palette import UNLABELLED
from training.landscape.batches import Batches, iterate
from training.landscape.settings import PRESETS
from training.landscape.style_bank import StyleBank, make_bank
from training.photos.photo_set import PhotoSet, is_natural, load_siftflow

SETTINGS = PRESETS["cpu-128"].model_copy(update={"image_size": 32, "batch": 8})


@pytest.fixture
def data(siftflow: Path) -> PhotoSet:
    return load_siftflow(siftflow, 32, is_natural)


@pytest.fixture
def bank(data: PhotoSet) -> StyleBank:
    return make_bank(data.photos, data.maps)


def test_worker_processes_change_nothing(data: PhotoSet, bank: StyleBank):
    batches = Batches(data, bank, SETTINGS)
    alone = list(iterate(batches, 3, 7, workers=0))
    helped = list(iterate(batches, 3, 7, workers=2))
    assert len(alone) == len(helped) == 4
    for one, other in zip(alone, helped, strict=True):
        for name in ("photos", "targets", "inputs", "styles", "is_own"):
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_an_epoch_shows_every_photo_once(data: PhotoSet, bank: StyleBank):
    batches = Batches(data, bank, SETTINGS)
    seen = np.concatenate([batches(step).photos.float().mean(dim=(1, 2, 3)).numpy() for step in range(4)])
    expected = data.photos.mean(axis=(1, 2, 3))  # flips change no mean
    np.testing.assert_allclose(np.sort(seen), np.sort(expected), rtol=1e-4)


def test_photo_targets_and_inputs_are_flipped_together(data: PhotoSet, bank: StyleBank):
    plain = SETTINGS.model_copy(update={"sketch_share": 0.0})
    batch = Batches(data, bank, plain)(0).to(torch.device("cpu"))
    known = batch.targets != UNLABELLED
    assert torch.equal(batch.inputs[known], batch.targets[known])
    assert not (batch.inputs == UNLABELLED).any()
    assert -1 <= batch.photos.min() < 0 < batch.photos.max() <= 1
    for photo, labels in zip(batch.photos, batch.inputs, strict=True):
        sky = photo[:, labels == 0].mean(dim=1)
        assert sky[2] > sky[0]  # blue sky stays where the map says sky


def test_own_looks_are_the_photos_own(data: PhotoSet, bank: StyleBank):
    own = SETTINGS.model_copy(update={"own_style_share": 1.0})
    batch = Batches(data, bank, own)(0)
    assert batch.is_own.all()
    distance = (batch.styles[:, None] - bank.styles[None]).square().mean(dim=(2, 3)).min(dim=1).values
    assert (distance < 0.03).all()
