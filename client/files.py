"""Files that a command writes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from client.errors import ClientError


def check_folder(path: Path) -> None:
    """Raise ClientError if the file can't be made, before there is anything to write into it."""
    if not path.parent.is_dir():
        raise ClientError(f"{path.parent}: no such folder")


def write_file(path: Path, data: bytes) -> None:
    """All of it, or what was there before."""
    if path.exists() and not path.is_file():  # /dev/null and its like
        path.write_bytes(data)
        return
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
