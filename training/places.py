"""Where jobs may write. Nothing of the user's is ever replaced or removed: seen to before a run begins."""

from __future__ import annotations

from pathlib import Path

from models.checkpoint import CheckpointError, check_replaceable
from training.errors import TrainingError


def check_out(out: Path | None, run: Path) -> None:
    """Refuse an ``--out``, or a ``<run>/checkpoint``, that a checkpoint could not be written to in the end.

    Raises:
        TrainingError: it holds anything but a checkpoint, or is the run's folder, or holds that.
    """
    if out is not None and out.resolve() in (run.resolve(), *run.resolve().parents):
        raise TrainingError(f"--out {out}: --run {run} lies there; a checkpoint has a folder of its own")
    for name, folder in (("--run", run / "checkpoint"), ("--out", out)):
        try:
            if folder is not None:
                check_replaceable(folder)
        except CheckpointError as error:
            raise TrainingError(f"{name} {error}; nothing was touched, give another folder") from None


def check_report_folder(folder: Path, marker: str) -> None:
    """Refuse a folder for a report that is neither new nor empty nor has an earlier one's ``marker``.

    Raises:
        TrainingError: it holds other files, or is one.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"--out {folder}: a file is there already")
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise TrainingError(f"--out {folder}: holds other files; give a folder of its own")
