"""Targets: names that leave the class open are sets; clouds are split off skies that show their colour."""

import numpy as np
import pytest
import torch

from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, OUTLINES, SIFTFLOW, UNLABELLED
from training.photos.clouds import split_clouds
from training.photos.targets import (
    CLOUD,
    FIRST_SET,
    SKY,
    UNSURE,
    UNTOLD,
    allowed_table,
    inputs_of,
    is_open,
    target_table,
    targets_of,
)


def names_allowed(value: int) -> set[str]:
    return {CLASS_NAMES[number] for number in allowed_table()[value].nonzero().flatten().tolist()}


def test_a_coarse_name_allows_what_it_may_mean():
    table = target_table(SIFTFLOW, ("unlabelled", "river", "sea"))
    assert table[0] == UNLABELLED
    assert names_allowed(table[1]) == {"river", "lake", "waterfall"}
    assert names_allowed(table[2]) == {"sea"}
    water, path = target_table(OUTLINES, ("water", "path"))[:2]
    assert names_allowed(water) == {"sea", "river", "lake"}
    assert names_allowed(path) == {"earth"}
    assert names_allowed(UNLABELLED) == set()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="volcano"):
        target_table(OUTLINES, ("sky", "volcano"))


def test_what_is_painted_by_and_what_is_judged_by():
    maps = torch.tensor([SKY, UNTOLD, UNSURE + 5])
    assert inputs_of(maps).tolist() == [SKY, SKY, 5]
    assert targets_of(maps).tolist() == [SKY, UNTOLD, UNLABELLED]
    open_values = np.array([SKY, UNTOLD, FIRST_SET + 1, UNLABELLED, UNSURE + 5], dtype=np.uint8)
    assert is_open(open_values).tolist() == [False, False, True, True, False]


def sky_photo(cover: float) -> tuple[np.ndarray, np.ndarray]:
    """Blue sky over land; a share of the sky is white on the left."""
    photo = np.zeros((64, 64, 3), dtype=np.uint8)
    photo[:40], photo[40:] = (60, 120, 220), (90, 80, 40)
    photo[:40, : int(64 * cover)] = 235
    targets = np.zeros((64, 64), dtype=np.uint8)
    targets[40:] = 1
    return photo, targets


def test_white_parts_of_a_blue_sky_are_clouds():
    photo, targets = sky_photo(0.4)
    split = split_clouds(targets, photo)
    assert (split[5:35, 2:20] == CLOUD).all()
    assert (split[5:35, 35:60] == SKY).all()
    assert (split[40:] == 1).all()


def test_an_overcast_sky_is_not_told():
    photo, targets = sky_photo(1.0)
    assert (split_clouds(targets, photo)[:40] == UNTOLD).all()


def test_white_land_is_no_cloud():
    photo, targets = sky_photo(0.4)
    photo[40:] = 235
    assert not (split_clouds(targets, photo)[40:] == CLOUD).any()
    assert NUM_CLASSES <= FIRST_SET
