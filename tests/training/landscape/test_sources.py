"""What is held out of someone's photos: enough for figures, the same whenever a run goes on."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.landscape.palette import CLASS_NAMES
from training.landscape.completing import Completer
from training.landscape.dataset import make_training
from training.landscape.sources import Source, read_source
from training.photos.own_photos import load_own
from training.photos.photo_set import FEWEST_HELD_OUT, PhotoSet, hold_out, is_held_out

SKY = CLASS_NAMES.index("sky")
BY_NAME = [name for number in range(60) if is_held_out(name := f"{number}.png")]
OTHERS = [name for number in range(60) if not is_held_out(name := f"{number}.png")]


class Labeller(Completer):
    """Says that all is sky, but can't label one photo."""

    def label(self, data: PhotoSet, name: str) -> PhotoSet | None:
        kept = np.array([name != BY_NAME[0] for name in data.names])
        labelled = replace(data, maps=np.full_like(data.maps, SKY), by_people=np.zeros(len(data), dtype=bool))
        return labelled.where(kept) if kept.any() else None


def read(folder: Path, only_held_out: bool = False) -> Source:
    args = argparse.Namespace(data=folder, refined=None, outlined=None)
    return read_source(args, Labeller(Path("none"), "cpu"), 64, only_held_out)


def fill(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (number, 140, 220)).save(folder / name)


def names_of(photos: PhotoSet | None) -> set[str]:
    return set() if photos is None else set(photos.names)


def test_the_split_of_a_folder_that_has_enough_is_by_name_alone() -> None:
    assert len(BY_NAME) >= FEWEST_HELD_OUT
    names = [*BY_NAME, *OTHERS]
    assert hold_out(names).tolist() == [is_held_out(name) for name in names]


@pytest.mark.parametrize("num_by_name", [0, 1, 3])
def test_a_small_folder_holds_out_the_fewest_in_whatever_order_it_is_read(num_by_name: int) -> None:
    names = [*BY_NAME[:num_by_name], *OTHERS[:20]]
    held_out = {name for name, is_out in zip(names, hold_out(names), strict=True) if is_out}
    assert len(held_out) == FEWEST_HELD_OUT
    assert held_out >= set(BY_NAME[:num_by_name])
    backwards = names[::-1]
    assert {name for name, is_out in zip(backwards, hold_out(backwards), strict=True) if is_out} == held_out
    assert sum(hold_out(OTHERS[:5])) == 2, "half are left to learn from"
    assert sum(hold_out(OTHERS[:1])) == 0


@pytest.mark.parametrize("num_by_name", [0, 1, FEWEST_HELD_OUT, FEWEST_HELD_OUT + 1])
def test_photos_that_can_t_be_labelled_are_none_of_the_fewest_and_a_run_finds_them_again(
    tmp_path: Path, num_by_name: int
) -> None:
    names = [*BY_NAME[:num_by_name], *OTHERS[:20]]
    fill(tmp_path, names)
    source = read(tmp_path)
    assert source.held_out is not None
    assert len(source.held_out) == FEWEST_HELD_OUT
    assert (source.held_out.maps == SKY).all()
    learnt, held_out = names_of(source.unlabelled), names_of(source.held_out)
    assert held_out >= set(BY_NAME[1:num_by_name])
    assert not learnt & held_out
    assert learnt | held_out == set(names) - {BY_NAME[0]}
    again = read(tmp_path, only_held_out=True)
    assert again.held_out is not None
    assert again.held_out.digest() == source.held_out.digest()


def test_nothing_is_learnt_from_what_an_evaluation_holds_out_of_another_folder(tmp_path: Path) -> None:
    fill(tmp_path, OTHERS[:20])
    args = argparse.Namespace(data=None, photos=[tmp_path])
    learnt = names_of(make_training(Source(), args, Labeller(Path("none"), "cpu")))
    names = load_own(tmp_path, 64).names
    assert learnt == {name for name, is_out in zip(names, hold_out(names), strict=True) if not is_out}
    assert len(learnt) == 20 - FEWEST_HELD_OUT
