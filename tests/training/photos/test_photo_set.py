"""Reading photos and maps: the palette's numbers, the split, and clear words about a broken folder."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.landscape.palette import CLASS_NAMES, SIFTFLOW, UNLABELLED
from training.photos.errors import DataError
from training.photos.manifest import MANIFESTS, check_folder, read_manifest
from training.photos.photo_set import (
    is_held_out,
    is_natural,
    join,
    load_pseudo_labelled,
    load_siftflow,
    well_labelled,
)


def test_maps_hold_palette_ids(siftflow: Path):
    data = load_siftflow(siftflow, 32, is_natural)
    assert len(data) == 32  # four of five scenes
    assert data.photos.shape == (32, 32, 32, 3)
    found = {int(number) for number in np.unique(data.maps)}
    wanted = {CLASS_NAMES.index(name) for name in ("sky", "mountain", "sea", "tree")} | {UNLABELLED}
    assert wanted <= found <= wanted | {CLASS_NAMES.index("snow")}
    assert (data.maps[:, 0] == UNLABELLED).all()
    assert (data.maps[:, 4] == CLASS_NAMES.index("sky")).all()


def test_photos_without_labels_are_left_out(siftflow: Path):
    data = load_siftflow(siftflow, 32, is_natural)
    assert len(well_labelled(data, max_unlabelled=0.5)) == len(data)
    with pytest.raises(DataError, match="no photo is left"):
        well_labelled(data, max_unlabelled=0.01)


def test_the_split_is_fixed_for_good():
    held_out = [number for number in range(40) if is_held_out(f"coast_bea{number}.jpg")]
    assert held_out == [3, 12, 19, 21, 24, 25, 26, 27, 31]  # by sha1sum and bc
    names = [Path(path).name for path in read_manifest(SIFTFLOW) if path.endswith(".jpg")]
    assert len(names) == 2538
    assert 0.08 < sum(map(is_held_out, names)) / len(names) < 0.12


def test_a_broken_folder_is_named(siftflow: Path, tmp_path: Path):
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
def test_committed_manifests_are_whole(name: str, num_files: int):
    lines = gzip.decompress((MANIFESTS / f"manifest-{name}.txt.gz").read_bytes()).decode().splitlines()
    assert len(lines) == num_files
    assert all(len(line.split("  ")[0]) == 64 for line in lines)


def make_pseudo(folder: Path, names: list[str]) -> tuple[Path, Path]:
    """Grey photos, lighter from one to the next, of sky over sea with an unsure line between."""
    photos, labels = folder / "photos", folder / "labels"
    photos.mkdir()
    labels.mkdir()
    lake = np.full((16, 16), CLASS_NAMES.index("sea"), dtype=np.uint8)
    lake[:8], lake[8] = CLASS_NAMES.index("sky"), UNLABELLED
    for number, name in enumerate(names):
        Image.fromarray(np.full((32, 32, 3), 40 + 5 * number, dtype=np.uint8)).save(photos / f"{name}.jpg")
        Image.fromarray(lake).save(labels / f"{name}.png")
    return photos, labels


def test_pseudo_labelled_photos_keep_their_maps_and_the_split(tmp_path: Path):
    names = [f"photo{number}" for number in range(30)]
    photos, labels = make_pseudo(tmp_path, names)
    (labels / "photo3.png").unlink()  # not kept by the labeller
    trained = load_pseudo_labelled(photos, labels, 16, lambda name: not is_held_out(name))
    held_out = load_pseudo_labelled(photos, labels, 16, is_held_out)
    assert len(held_out) > 0
    assert sorted(trained.names + held_out.names) == sorted(
        f"{name}.jpg" for name in names if name != "photo3"
    )
    assert set(np.unique(trained.maps)) == {0, CLASS_NAMES.index("sea"), UNLABELLED}
    row = trained.names.index(next(name for name in ("photo7.jpg", "photo8.jpg") if name in trained.names))
    assert abs(int(trained.photos[row].mean()) - (40 + 5 * int(trained.names[row][5]))) <= 2
    both = join([trained, held_out])
    assert len(both) == 29
    assert np.array_equal(both.photos[len(trained)], held_out.photos[0])


def test_wrong_pseudo_labels_are_named(tmp_path: Path):
    photos, labels = make_pseudo(tmp_path, ["one", "two"])
    with pytest.raises(DataError, match="no label map of the kind"):
        load_pseudo_labelled(photos, labels, 16, lambda _: False)
    (photos / "two.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 2 labelled photos are missing: two\.jpg"):
        load_pseudo_labelled(photos, labels, 16, lambda _: True)
    Image.fromarray(np.full((16, 16), 77, dtype=np.uint8)).save(labels / "one.png")
    with pytest.raises(DataError, match="not a square map"):
        load_pseudo_labelled(photos, labels, 16, lambda name: name == "one.jpg")
    with pytest.raises(DataError, match="no such folder"):
        load_pseudo_labelled(photos, tmp_path / "none", 16, lambda _: True)
