"""Photos with label maps in memory, split for good into training and held-out files by their names.

What reads SIFT Flow and the folders that go with it is here, too; anyone else's: ``own_photos.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.label_maps import shrink_nearest
from models.landscape.palette import OUTLINES, SIFTFLOW, UNLABELLED, source_table
from training.photos.clouds import split_clouds
from training.photos.errors import DataError
from training.photos.label_maps import shrink_map, split_snow
from training.photos.manifest import check_folder
from training.photos.reading import read_photo
from training.photos.targets import target_table

NATURAL_SCENES = ("coast", "forest", "mountain", "opencountry")  # SIFT Flow's
OUTLINED = ("ade", "msrc", "sbg")  # prefixes of the photos of labelled_natural, natural all
MAX_UNLABELLED = 0.25  # of a training map
FEWEST_HELD_OUT = 4  # photos that anything can be measured by


@dataclass(frozen=True)
class PhotoSet:
    """Square photos (M, S, S, 3) uint8 RGB, maps (M, S, S) uint8 (UNLABELLED: unknown), file names."""

    names: tuple[str, ...]
    photos: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    chances: NDArray[np.float64] | None = None  # of each photo to be drawn next, in any unit; None: even
    by_people: NDArray[np.bool_] | None = None  # whose maps people made, natural scenes all; None: of each

    def __len__(self) -> int:
        return len(self.names)

    def digest(self) -> str:
        """SHA-256 of all of it, in hex."""
        found = hashlib.sha256(json.dumps([self.names, self.photos.shape]).encode())
        for part in (self.photos, self.maps, self.chances):
            if part is not None:
                found.update(np.ascontiguousarray(part).data)
        return found.hexdigest()

    def where(self, kept: Sequence[bool] | NDArray[np.bool_]) -> PhotoSet:
        """Return the photos where ``kept`` is true; DataError if there is none."""
        rows = np.flatnonzero(kept)
        if not len(rows):
            raise DataError("no photo is left after filtering")
        return PhotoSet(
            tuple(self.names[row] for row in rows),
            self.photos[rows],
            self.maps[rows],
            None if self.chances is None else self.chances[rows],
            None if self.by_people is None else self.by_people[rows],
        )

    def shrink(self, size: int) -> PhotoSet:
        """Return it at ``size``²."""
        if size == self.photos.shape[1]:
            return self
        photos = np.stack([shrink_photo(photo, size) for photo in self.photos])
        maps = shrink_nearest(self.maps, size)
        return replace(self, photos=photos, maps=maps)

    @property
    def num_by_people(self) -> int:
        """Photos whose maps people made."""
        return len(self) if self.by_people is None else int(self.by_people.sum())


def is_held_out(name: str) -> bool:
    """Whether a photo is never trained on, by its plain file name with extension: one in ten."""
    return _name_sum(name) % 10 == 0


def hold_out(names: Sequence[str]) -> NDArray[np.bool_]:
    """Which photos of someone's folder are not trained on: those that ``is_held_out``, one in ten.

    In a small folder the next by the same sum join them, up to FEWEST_HELD_OUT or half of all.
    """
    ranks = [(not is_held_out(name), _name_sum(name)) for name in names]
    num_by_name = sum(map(is_held_out, names))
    enough = min(FEWEST_HELD_OUT, len(names) // 2)
    chosen = sorted(range(len(names)), key=ranks.__getitem__)[: max(num_by_name, enough)]
    return np.isin(np.arange(len(names)), chosen)


def _name_sum(name: str) -> int:
    return int(hashlib.sha1(name.encode()).hexdigest(), 16)


def is_natural(name: str) -> bool:
    """Whether a labelled photo shows a natural scene, by its file name."""
    return name.split("_")[0] in (*NATURAL_SCENES, *OUTLINED)


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


def load_targets(
    siftflow: Path, refined: Path | None, outlined: Path | None, size: int, keep: Callable[[str], bool]
) -> PhotoSet:
    """Load everything that people labelled, as targets (``training.photos.targets``) at ``size``².

    Args:
        siftflow: SIFT Flow's folder.
        refined: a folder of better maps for some of its photos, or None.
        outlined: a folder of more labelled photos, or None.
        size: side of the photos and maps, pixels.
        keep: which file names.

    Raises:
        DataError: a folder is not what it should be, or nothing passes.
    """
    paths = check_folder(siftflow, SIFTFLOW)
    names = [Path(path).name for path in paths if path.startswith("images/") and keep(Path(path).name)]
    tables = {
        folder: target_table(OUTLINES, _class_names(folder)) for folder in (refined, outlined) if folder
    }
    own = target_table(SIFTFLOW, _class_names(siftflow))
    found = []
    for name in names:
        better = refined and (refined / "labels" / name).with_suffix(".png")
        folder, table = (
            (refined, tables[refined]) if refined and better and better.is_file() else (siftflow, own)
        )
        found.append(_read_targets(siftflow, folder, name, table, size))
    if outlined:
        more = [path.name for path in sorted((outlined / "images").glob("*.jpg")) if keep(path.name)]
        found += [_read_targets(outlined, outlined, name, tables[outlined], size) for name in more]
        names += more
    if not names:
        raise DataError(f"{siftflow}: no photo of the kind asked for")
    photos, maps = zip(*found, strict=True)
    return PhotoSet(tuple(names), np.stack(photos), np.stack(maps))


def _class_names(folder: Path) -> tuple[str, ...]:
    return tuple(line.split(maxsplit=1)[1] for line in (folder / "classes.txt").read_text().splitlines())


def _read_targets(
    photos: Path, labels: Path, name: str, table: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    photo = read_photo(photos / "images" / name)
    targets = table[np.asarray(Image.open((labels / "labels" / name).with_suffix(".png")))]
    targets = split_clouds(split_snow(targets, photo), photo)
    if photo.shape[0] != size:  # nearest: majority knows classes only
        photo, targets = shrink_photo(photo, size), shrink_nearest(targets, size)
    return photo, targets


def join(sets: Sequence[PhotoSet]) -> PhotoSet:
    """Put sets of equal size one after the other; all of them have chances, or none."""
    chances = [photos.chances for photos in sets if photos.chances is not None]
    if chances and len(chances) < len(sets):
        raise ValueError("some sets have chances, some have none")
    return PhotoSet(
        tuple(name for photos in sets for name in photos.names),
        np.concatenate([photos.photos for photos in sets]),
        np.concatenate([photos.maps for photos in sets]),
        np.concatenate(chances) if chances else None,
        np.concatenate([_by_people(photos) for photos in sets]),
    )


def _by_people(data: PhotoSet) -> NDArray[np.bool_]:
    return np.ones(len(data), dtype=bool) if data.by_people is None else data.by_people


def shrink_photo(photo: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize to ``size``² by averaging."""
    return np.asarray(Image.fromarray(photo).resize((size, size), Image.Resampling.BOX))


def well_labelled(data: PhotoSet, max_unlabelled: float = MAX_UNLABELLED) -> PhotoSet:
    """Leave out photos whose maps are mostly holes."""
    return data.where((data.maps == UNLABELLED).mean(axis=(1, 2)) <= max_unlabelled)
