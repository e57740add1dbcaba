"""From a run's folder to where checkpoints are served from: whole or not at all, never over a better one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

from models.checkpoint import CheckpointError, read_metrics, replacing
from models.gpt.chat import CHAT_TEMPLATE_FILE
from training.errors import TrainingError
from training.loop import Loop


def publish(checkpoint: Path, out: Path, files: Mapping[str, bytes] | None = None) -> None:
    """Copy a checkpoint's folder to ``out``, with further files or other ones in their place.

    The chat template there stays: it belongs to the text that is learned, and no run writes one.
    """
    with replacing(out) as fresh:
        if (out / CHAT_TEMPLATE_FILE).exists():
            shutil.copy(out / CHAT_TEMPLATE_FILE, fresh)
        shutil.copytree(checkpoint, fresh, dirs_exist_ok=True)
        for name, content in (files or {}).items():
            (fresh / name).write_bytes(content)


def publish_better(checkpoint: Path, out: Path, metric: str, force: bool) -> str:
    """Publish unless what stands at ``out`` is as good in ``metric`` (lower is better); says what it did.

    What was not measured is better than nothing, and than what was not either.
    """
    value, there = (read_metrics(folder).get(metric) for folder in (checkpoint, out))
    told = "not measured" if value is None else f"{value:.4f}"
    if isinstance(there, int | float) and (value is None or there <= value) and not force:
        return f"{out} stays: its {metric} {there:.4f} is no worse than ours, {told} (--force replaces)"
    try:
        publish(checkpoint, out)
    except CheckpointError as error:  # what came there while the run went on
        raise TrainingError(f"--out {error}; the checkpoint is in {checkpoint}") from None
    return f"{out}: {metric} {told}"


def train_and_publish(loop: Loop, args: argparse.Namespace, metric: str) -> int:
    """Train, or take the run as it stands (``--finish``); --out gets the checkpoint of a run that is done.

    Returns:
        the exit status.
    """
    if args.finish and loop.snapshot is not None:
        loop.snapshot()
    is_done = args.finish or loop.train()
    if is_done and args.out is not None:
        loop.run.say(publish_better(loop.run.folder / "checkpoint", args.out, metric, args.force))
    loop.run.close()
    return loop.run.exit_status
