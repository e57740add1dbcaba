"""Reading photos and maps: the palette's numbers, the split, and clear words about a broken folder."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.landscape.palette import CLASS_NAMES, SIFTFLOW, UNLABELLED
from training.photos.errors import DataError
from training.photos.manifest import MANIFESTS, check_folder, read_manifest
from training.photos.photo_set import (
    is_held_out,
    is_natural,
    load_siftflow,
    well_labelled,
)


def test_maps_hold_palette_ids(siftflow: Path) -> None:
    data = load_siftflow(siftflow, 32, is_natural)
    assert len(data) == 32  # four of five scenes
    assert data.photos.shape == (32, 32, 32, 3)
    found = {int(number) for number in np.unique(data.maps)}
    wanted = {CLASS_NAMES.index(name) for name in ("sky", "mountain", "sea", "tree")} | {UNLABELLED}
    assert wanted <= found <= wanted | {CLASS_NAMES.index("snow")}
    assert (data.maps[:, 0] == UNLABELLED).all()
    assert (data.maps[:, 4] == CLASS_NAMES.index("sky")).all()


def test_photos_without_labels_are_left_out(siftflow: Path) -> None:
    data = load_siftflow(siftflow, 32, is_natural)
    assert len(well_labelled(data, max_unlabelled=0.5)) == len(data)
    with pytest.raises(DataError, match="no photo is left"):
        well_labelled(data, max_unlabelled=0.01)


def test_the_split_is_fixed_for_good() -> None:
    held_out = [number for number in range(40) if is_held_out(f"coast_bea{number}.jpg")]
    assert held_out == [3, 12, 19, 21, 24, 25, 26, 27, 31]  # by sha1sum and bc
    names = [Path(path).name for path in read_manifest(SIFTFLOW) if path.endswith(".jpg")]
    assert len(names) == 2538
    assert 0.08 < sum(map(is_held_out, names)) / len(names) < 0.12


def test_a_broken_folder_is_named(siftflow: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        check_folder(tmp_path / "nowhere", SIFTFLOW)
    copy = tmp_path / "copy"
    shutil.copytree(siftflow, copy)
    assert check_folder(copy, SIFTFLOW)
    photo = next((copy / "images").iterdir())
    photo.write_bytes(photo.read_bytes() + b"x")
    with pytest.raises(DataError, match=rf"1 of \d+ .* other bytes, first images/{photo.name}"):
        check_folder(copy, SIFTFLOW)
    photo.unlink()
    with pytest.raises(DataError, match=rf"1 of \d+ .* missing, first images/{photo.name}"):
        check_folder(copy, SIFTFLOW)


@pytest.mark.parametrize(("name", "num_files"), [("siftflow", 5077), ("flickr", 4828), ("yosemite", 1132)])
def test_committed_manifests_are_whole(name: str, num_files: int) -> None:
    lines = gzip.decompress((MANIFESTS / f"manifest-{name}.txt.gz").read_bytes()).decode().splitlines()
    assert len(lines) == num_files
    assert all(len(line.split("  ")[0]) == 64 for line in lines)
