"""Fetching one file over HTTP with progress and a SHA-256 check; a file that is there and right is kept."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

from tqdm import tqdm

from training.errors import TrainingError

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0


def is_url(text: str) -> bool:
    return urlparse(text).scheme in ("http", "https")


def fetch(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download `url` to `path` unless a file is there already; whatever is there stays.

    Args:
        sha256: hexadecimal; None skips the check.

    Raises:
        TrainingError: what is there has another checksum; the server can't be reached, refuses, breaks off,
            or sends other bytes than promised.
    """
    if path.is_file():
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 not in (None, found):
            raise TrainingError(
                f"{path}: has SHA-256 {found}, expected {sha256}; give it as --data, or move it away"
            )
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        digest = _download(url, part)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "reason", None) or error
        raise TrainingError(f"{url}: can't be downloaded ({reason}); give a local file instead") from None
    if sha256 is not None and digest != sha256:
        part.unlink()
        raise TrainingError(f"{url}: has SHA-256 {digest}, expected {sha256}; nothing was kept")
    part.replace(path)
    return path


def _download(url: str, part: Path) -> str:
    """Write the body to `part` and return its SHA-256."""
    digest, num_bytes = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer, part.open("wb") as file:
        promised = answer.headers.get("Content-Length")
        total = int(promised) if promised else None
        with tqdm(total=total, unit="B", unit_scale=True, desc=part.name.removesuffix(".part")) as bar:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                num_bytes += len(chunk)
                bar.update(len(chunk))
    if total is not None and num_bytes != total:
        raise http.client.IncompleteRead(b"", total - num_bytes)
    return digest.hexdigest()
