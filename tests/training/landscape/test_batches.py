"""Batches are a pure function of the step; maps, photos and styles of an example belong together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.landscape.palette import CLASS_NAMES, UNLABELLED
from training.landscape.batches import Batches
from training.landscape.settings import PRESETS
from training.landscape.style_bank import StyleBank, make_bank
from training.photos.photo_set import PhotoSet, is_natural, load_siftflow
from training.photos.targets import CLOUD, SKY, UNSURE, UNTOLD

SETTINGS = PRESETS["minute"].model_copy(update={"image_size": 32, "batch": 8})
TREE = CLASS_NAMES.index("tree")


@pytest.fixture
def data(siftflow: Path) -> PhotoSet:
    found = load_siftflow(siftflow, 32, is_natural)
    return PhotoSet(found.names, found.photos, np.where(found.maps == UNLABELLED, TREE + UNSURE, found.maps))


@pytest.fixture
def bank(data: PhotoSet) -> StyleBank:
    return make_bank(data.photos, np.where(data.maps >= UNSURE, UNLABELLED, data.maps).astype(np.uint8))


def make(data: PhotoSet, bank: StyleBank) -> Batches:
    return Batches(data, bank, SETTINGS, torch.device("cpu"))


def test_a_step_is_the_same_whenever_it_is_made(data: PhotoSet, bank: StyleBank) -> None:
    batches = make(data, bank)
    first, other, again = batches(3), batches(4), batches(3)
    for name in ("photos", "targets", "inputs", "styles"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_photos_are_drawn_by_their_chances(data: PhotoSet, bank: StyleBank) -> None:
    chances = np.zeros(len(data))
    chances[[2, 5]] = 1, 3
    batches = make(PhotoSet(data.names, data.photos, data.maps, chances), bank)
    rows = torch.cat([batches.rows(step) for step in range(200)]).tolist()
    assert set(rows) == {2, 5}
    assert rows.count(5) / len(rows) == pytest.approx(0.75, abs=0.05)


def test_photo_targets_and_inputs_are_flipped_together(data: PhotoSet, bank: StyleBank) -> None:
    batch = make(data, bank)(0)
    clean, targets = batch.inputs[::2], batch.targets[::2]
    known = (targets != UNLABELLED) & (targets != UNTOLD)
    assert torch.equal(clean[known], targets[known])
    assert (clean[targets == UNLABELLED] == TREE).all()  # a guess is painted by, and not judged by
    assert ((batch.inputs >= 0) & (batch.inputs < len(CLASS_NAMES))).all()
    assert -1 <= batch.photos.min() < 0 < batch.photos.max() <= 1
    for photo, labels in zip(batch.photos[::2], clean, strict=True):
        sky = photo[:, labels == SKY].mean(dim=1)
        assert sky[2] > sky[0]  # blue sky stays where the map says sky


def test_half_of_the_inputs_are_drawn_like(data: PhotoSet, bank: StyleBank) -> None:
    batch = make(data, bank)(0)
    judged = batch.targets < UNTOLD
    differs = ((batch.inputs != batch.targets) & judged).float().flatten(1).sum(dim=1)
    assert (differs[::2] == 0).all()
    assert (differs[1::2] > 0).any()


def test_own_styles_are_the_photos_own(data: PhotoSet, bank: StyleBank) -> None:
    batches = make(data, bank)
    batch, rows = batches(0), batches.rows(0)
    own = batch.own_rows
    assert own.tolist() == [0, 1, 4, 5]
    assert (batch.styles[own] - bank.styles[rows[own]]).abs().mean() < 0.1  # jitter alone


def test_clouds_may_be_forgotten_but_then_are_not_judged_as_sky(data: PhotoSet, bank: StyleBank) -> None:
    maps = np.where(data.maps == SKY, np.uint8(CLOUD), data.maps)
    batches = Batches(PhotoSet(data.names, data.photos, maps), bank, SETTINGS, torch.device("cpu"))
    for batch in map(batches, range(6)):
        for inputs, targets in zip(batch.inputs[::2], batch.targets[::2], strict=True):
            if (targets == UNTOLD).any():
                assert (inputs[targets == UNTOLD] == SKY).all()
                assert not (targets == CLOUD).any()
            else:
                assert (inputs == CLOUD).any()
    kinds = {bool((targets == UNTOLD).any()) for batch in map(batches, range(6)) for targets in batch.targets}
    assert kinds == {True, False}
