"""A run's state on disk: written whole or not at all, read without unpickling; a broken one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from training.errors import TrainingError
from training.files import replacing_file


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, text and containers of them; where it fails, TrainingError and the old file."""
    try:
        with replacing_file(path) as file:
            torch.save(dict(state), file)
    except (OSError, RuntimeError) as error:  # torch makes a RuntimeError of a full disk
        kept = "; the one before it is kept" if path.exists() else ""
        raise TrainingError(f"{path}: can't be written ({_reason(error)}){kept}") from None


def read_state(path: Path, device: torch.device | str = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Read what `write_state` wrote.

    Args:
        mmap: leave tensors on disk until they are looked at.

    Raises:
        TrainingError: the file is truncated, or none of a run's states.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True, mmap=mmap)
        if not isinstance(state, dict) or not {"step", "seconds", "state"} <= state.keys():
            raise ValueError("it has no step")
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such file") from None
    except Exception as error:  # which kind depends on the byte that is wrong
        raise TrainingError(f"{path}: truncated, or no state of a run ({_reason(error)})") from None
    return state


def _reason(error: Exception) -> str:
    """What went wrong, in one short line."""
    while isinstance(error.__context__, OSError):  # beneath torch's own
        error = error.__context__
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return said.splitlines()[0][:100]
