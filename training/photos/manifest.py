"""Checks a photo folder against a committed list of SHA-256 sums (gzipped output of ``sha256sum``)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path

from training.photos.errors import DataError

MANIFESTS = Path(__file__).parent


def read_manifest(name: str) -> dict[str, str]:
    """Return path → hex digest of ``manifest-<name>.txt.gz``."""
    text = gzip.decompress((MANIFESTS / f"manifest-{name}.txt.gz").read_bytes()).decode()
    return {path: digest for digest, path in (line.split("  ", 1) for line in text.splitlines())}


def write_manifest(path: Path, folder: Path, files: Iterable[Path]) -> None:
    """Write the sums of ``files`` (relative to ``folder``); the same files give the same bytes."""
    lines = [f"{file_digest(folder / file)}  {file.as_posix()}\n" for file in sorted(files)]
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def is_data_set(folder: Path, name: str) -> bool:
    """Whether a folder is meant to be a list's data set: it has a legend, and most of the files' names."""
    sums = read_manifest(name)
    is_there = (folder / "classes.txt").is_file()
    return is_there and 2 * sum((folder / path).is_file() for path in sums) > len(sums)


def is_part_of(names: Iterable[str], name: str) -> bool:
    """Whether any of these file names is one of a data set's."""
    return not {Path(path).name for path in read_manifest(name)}.isdisjoint(names)


def check_folder(folder: Path, name: str) -> list[str]:
    """Check every file that the manifest lists and return their paths, sorted.

    Raises:
        DataError: the folder or a file is missing, or a file's bytes differ.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder (expected the {name} photos; see docs/training-landscape.md)"
        )
    sums = read_manifest(name)
    missing = [path for path in sums if not (folder / path).is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(sums)} {name} files are missing, first {missing[0]}"
        )
    changed = [path for path, digest in sums.items() if file_digest(folder / path) != digest]
    if changed:
        raise DataError(
            f"{folder}: {len(changed)} of {len(sums)} {name} files have other bytes, first {changed[0]}"
        )
    return sorted(sums)


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
