"""What a job leaves out of a folder that it reads, told in one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

MAX_LISTED = 10


def tell_skipped(folder: Path, num_read: int, skipped: Sequence[str]) -> None:
    """Say on stderr how many files were read and which ones, and why, were not; nothing where all were."""
    if not skipped:
        return
    more = [f"and {len(skipped) - MAX_LISTED} more"] if skipped[MAX_LISTED:] else []
    listed = ", ".join([*skipped[:MAX_LISTED], *more])
    print(f"{folder}: read {num_read} files, skipped {len(skipped)}: {listed}", file=sys.stderr)


def is_hidden(path: Path) -> bool:
    """Whether a path within a folder is nobody's file: it, or a folder on its way, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)
