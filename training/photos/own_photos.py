"""A folder of one's own photos: alone, or as ``images/`` with a map of the same name each in ``labels/``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.landscape.palette import UNLABELLED
from training.photos.clouds import split_clouds
from training.photos.errors import DataError
from training.photos.label_maps import split_snow
from training.photos.own_maps import LEGEND, Legend, read_legend, read_map
from training.photos.photo_set import PhotoSet
from training.photos.reading import list_photos, read_square, upright_size
from training.skipped import tell_skipped

IMAGES, LABELS = "images", "labels"


def has_maps(folder: Path) -> bool:
    """Whether people labelled a folder's photos."""
    return (folder / LABELS).is_dir()


def load_own(folder: Path, side: int, keep: Callable[[str], bool] = lambda _: True) -> PhotoSet:
    """Load the photos whose file name passes ``keep``, with their maps as targets (UNLABELLED without maps).

    Photos are turned upright, and the square in their middle is taken. What can't be used is listed on
    stderr.

    Raises:
        DataError: no such folder, no photo in it that can be used, or a legend that can't be read.
    """
    legend = read_legend(folder) if has_maps(folder) else None
    root = folder / IMAGES if legend else folder
    paths, others = list_photos(root)
    maps = {_stem(path, folder / LABELS): path for path in list_photos(folder / LABELS)[0]} if legend else {}
    paths = [path for path in paths if keep(path.name)]

    def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
        try:
            photo = read_square(path, side)
            if legend is None:
                return photo, np.full((side, side), UNLABELLED, dtype=np.uint8)
            return photo, _read_own_map(maps.get(_stem(path, root)), legend, path, photo)
        except DataError as error:
            return f"{path.relative_to(root).as_posix()}: {error}"

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(read, paths))
    pairs = [(path.name, *pair) for path, pair in zip(paths, found, strict=True) if not isinstance(pair, str)]
    skipped = [reason for reason in found if isinstance(reason, str)]
    tell_skipped(folder, len(pairs), [*skipped, *(path.name for path in others if path.name != LEGEND)])
    if not pairs:
        raise DataError(f"{root}: has no photo that can be used" + (f" ({skipped[0]})" if skipped else ""))
    names, photos, targets = zip(*pairs, strict=True)
    return PhotoSet(names, np.stack(photos), np.stack(targets))


def _read_own_map(
    path: Path | None, legend: Legend, photo_path: Path, photo: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """A photo's targets; snow and clouds are split off where the maps have no name for them."""
    if path is None:
        raise DataError(f"no map in {LABELS}/")
    targets = read_map(path, legend, len(photo), upright_size(photo_path))
    if "snow" not in legend.classes:
        targets = split_snow(targets, photo)
    return targets if "cloud" in legend.classes else split_clouds(targets, photo)


def _stem(path: Path, root: Path) -> str:
    """What a photo and its map have in common: the way to them, without what comes behind the last dot."""
    return path.relative_to(root).with_suffix("").as_posix().casefold()
