"""Photos and maps in one file: what a run trains on, small enough to carry to another machine.

A zip of ``names.json`` (file names, each photo's chance to be drawn, and whose maps people made), one WebP a
photo, and ``maps.bin`` (the maps' bytes, LZMA).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.files import replacing_file
from training.photos.errors import DataError
from training.photos.photo_set import PhotoSet, is_natural, join

QUALITY = 96  # of WebP: about 29 kB a photo of 256²; at 85 a third of it, but photos are seen to be others
FIXED_DATE = (2026, 1, 1, 0, 0, 0)  # equal photos give equal bytes


def write_pack(data: PhotoSet, path: Path, quality: int = QUALITY) -> None:
    """Write ``data`` to ``path``."""
    lists = {"chances": data.chances, "by_people": data.by_people}
    facts = {"names": data.names} | {key: None if one is None else one.tolist() for key, one in lists.items()}
    with replacing_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        _add(archive, "names.json", json.dumps(facts).encode(), zipfile.ZIP_DEFLATED)
        with ThreadPoolExecutor() as threads:
            encoded = threads.map(lambda photo: _encode(photo, quality), data.photos)
            for number, content in enumerate(encoded):
                _add(archive, f"photos/{number}.webp", content, zipfile.ZIP_STORED)
        _add(archive, "maps.bin", data.maps.tobytes(), zipfile.ZIP_LZMA)


def read_packs(paths: Iterable[Path]) -> PhotoSet:
    """Read packs as one set, photos of equal size.

    Raises:
        DataError: a file is no pack.
    """
    return join([_read(path) for path in paths])


def _read(path: Path) -> PhotoSet:
    try:
        with zipfile.ZipFile(path) as archive:
            facts = json.loads(archive.read("names.json"))
            contents = [archive.read(f"photos/{number}.webp") for number in range(len(facts["names"]))]
            maps = np.frombuffer(archive.read("maps.bin"), dtype=np.uint8)
        with ThreadPoolExecutor() as threads:
            photos = np.stack(list(threads.map(_decode, contents)))
        chances = None if facts["chances"] is None else np.array(facts["chances"])
        by_people = facts.get("by_people", [is_natural(name) for name in facts["names"]])  # once told by name
        by_people = None if by_people is None else np.array(by_people, dtype=bool)
        return PhotoSet(tuple(facts["names"]), photos, maps.reshape(photos.shape[:3]), chances, by_people)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a pack of photos ({error})") from None


def _add(archive: zipfile.ZipFile, name: str, content: bytes, method: int) -> None:
    archive.writestr(zipfile.ZipInfo(name, FIXED_DATE), content, method)


def _encode(photo: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _decode(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))
