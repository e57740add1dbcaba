"""Photos with label maps in memory, split for good into training and held-out files by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.palette import NUM_CLASSES, SIFTFLOW, UNLABELLED, source_table
from training.photos.errors import DataError
from training.photos.label_maps import shrink_map, split_snow
from training.photos.manifest import check_folder

NATURAL_SCENES = ("coast", "forest", "mountain", "opencountry")
MAX_UNLABELLED = 0.25  # of a training map


@dataclass(frozen=True)
class PhotoSet:
    """Square photos (M, S, S, 3) uint8 RGB, maps (M, S, S) uint8 (UNLABELLED: unknown), file names."""

    names: tuple[str, ...]
    photos: NDArray[np.uint8]
    maps: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.names)

    def where(self, kept: Sequence[bool] | NDArray[np.bool_]) -> PhotoSet:
        """Return the photos where ``kept`` is true; DataError if there is none."""
        rows = np.flatnonzero(kept)
        if not len(rows):
            raise DataError("no photo is left after filtering")
        return PhotoSet(tuple(self.names[row] for row in rows), self.photos[rows], self.maps[rows])

    def shrink(self, size: int) -> PhotoSet:
        """Return it at ``size``²."""
        if size == self.photos.shape[1]:
            return self
        photos = np.stack([shrink_photo(photo, size) for photo in self.photos])
        return PhotoSet(self.names, photos, np.stack([shrink_map(labels, size) for labels in self.maps]))


def is_held_out(name: str) -> bool:
    """Whether a photo is never trained on, by its plain file name with extension: one in ten."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % 10 == 0


def is_natural(name: str) -> bool:
    """Whether a SIFT Flow file shows one of its four natural scenes."""
    return name.split("_")[0] in NATURAL_SCENES


def load_siftflow(folder: Path, size: int, keep: Callable[[str], bool]) -> PhotoSet:
    """Load the photos whose file name passes ``keep``, with maps in palette ids and snow split off.

    Raises:
        DataError: the folder is not the SIFT Flow of the manifest, or nothing passes.
    """
    paths = check_folder(folder, SIFTFLOW)
    names = [Path(path).name for path in paths if path.startswith("images/") and keep(Path(path).name)]
    classes = [line.split(maxsplit=1)[1] for line in (folder / "classes.txt").read_text().splitlines()]
    table = np.full(256, UNLABELLED, dtype=np.uint8)
    table[: len(classes)] = source_table(SIFTFLOW, tuple(classes))
    photos, maps = [], []
    for name in names:
        photo = read_photo(folder / "images" / name)
        labels = table[np.asarray(Image.open((folder / "labels" / name).with_suffix(".png")))]
        photos.append(shrink_photo(photo, size))
        maps.append(shrink_map(split_snow(labels, photo), size))
    if not names:
        raise DataError(f"{folder}: no photo of the kind asked for")
    return PhotoSet(tuple(names), np.stack(photos), np.stack(maps))


def load_pseudo_labelled(photos: Path, labels: Path, size: int, keep: Callable[[str], bool]) -> PhotoSet:
    """Load the photos of a folder that ``pseudo_labels`` kept and whose file name passes ``keep``.

    Raises:
        DataError: a folder or a photo is missing, a map is none of the palette, or nothing passes.
    """
    if not labels.is_dir():
        raise DataError(f"{labels}: no such folder (expected the label maps of {photos})")
    names = [f"{path.stem}.jpg" for path in sorted(labels.glob("*.png")) if keep(f"{path.stem}.jpg")]
    if not names:
        raise DataError(f"{labels}: no label map of the kind asked for")
    missing = [name for name in names if not (photos / name).is_file()]
    if missing:
        raise DataError(f"{photos}: {len(missing)} of {len(names)} labelled photos are missing: {missing[0]}")
    pictures = np.stack([shrink_photo(read_photo(photos / name), size) for name in names])
    return PhotoSet(tuple(names), pictures, np.stack([_read_map(labels, name, size) for name in names]))


def _read_map(folder: Path, name: str, size: int) -> NDArray[np.uint8]:
    path = (folder / name).with_suffix(".png")
    labels = np.asarray(Image.open(path))
    is_map = labels.ndim == 2 and labels.shape[0] == labels.shape[1] and labels.dtype == np.uint8
    if not is_map or ((labels >= NUM_CLASSES) & (labels != UNLABELLED)).any():
        raise DataError(f"{path}: not a square map of palette ids")
    return shrink_map(labels, size)


def join(sets: Sequence[PhotoSet]) -> PhotoSet:
    """Put sets of equal size one after the other."""
    return PhotoSet(
        tuple(name for photos in sets for name in photos.names),
        np.concatenate([photos.photos for photos in sets]),
        np.concatenate([photos.maps for photos in sets]),
    )


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Read a photo as (H, W, 3) RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def shrink_photo(photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize to ``size``² by averaging."""
    return np.asarray(Image.fromarray(photo).resize((size, size), Image.Resampling.BOX))


def well_labelled(data: PhotoSet, max_unlabelled: float = MAX_UNLABELLED) -> PhotoSet:
    """Leave out photos whose maps are mostly holes."""
    return data.where((data.maps == UNLABELLED).mean(axis=(1, 2)) <= max_unlabelled)
