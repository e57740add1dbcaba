"""Writes the averaged generator as a checkpoint: weights, metrics, a README with a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.checkpoint import README_FILE, read_metrics, save_checkpoint
from models.landscape.engine import LandscapeEngine
from models.landscape.generator import Generator
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.held_out import Evaluation
from training.landscape.readme import facts_after, readme_after, write_readme
from training.landscape.settings import LandscapeSettings
from training.photos.sheet import encode, spread_rows
from training.storage import round_weights

METRIC = "frechet_lite2"  # decides whether a checkpoint may replace another; lower is better
SHEET_ROWS, SHEET_SEEDS = 12, (1, 2, 3, 4)


def save_landscape(
    folder: Path,
    served: Generator,
    settings: LandscapeSettings,
    evaluation: Evaluation | None,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Evaluate, paint the sheet, write the checkpoint; return its metrics.

    Without held-out photos (``evaluation`` is None) there are neither figures nor a sheet.
    """
    tensors = round_weights(served)
    engine = LandscapeEngine(served, str(served.styles.device), {})
    parameters = sum(parameter.numel() for parameter in served.parameters())
    metrics: dict[str, Any] = dict(facts) | {"parameters": parameters}
    files: dict[str, bytes] = {}
    if evaluation is not None:
        metrics |= evaluation.metrics(engine)
        held_out = evaluation.held_out
        sheet = contact_sheet(engine, held_out, spread_rows(held_out, SHEET_ROWS), SHEET_SEEDS)
        files["sheet.jpg"] = encode(sheet)
    readme = write_readme(served.config, settings, metrics, has_sheet=bool(files))
    save_checkpoint(folder, served.config, tensors, metrics, readme, files)
    return metrics


def save_further(
    folder: Path, source: Path, generator: Generator, counter: str, steps: int, how: str
) -> None:
    """Write what became of the checkpoint at ``source``, with what of its metrics and README is true still.

    Args:
        folder: the new checkpoint.
        generator: its weights are rounded in place.
        counter: the metric that counts such steps, earlier ones included.
        steps: that were taken now.
        how: what was learnt in them.
    """
    metrics = facts_after(read_metrics(source))
    metrics[counter] = steps + metrics.get(counter, 0)
    readme = source / README_FILE
    told = readme_after(
        readme.read_text() if readme.exists() else "", f"{metrics[counter]} steps more, {how}"
    )
    save_checkpoint(folder, generator.config, round_weights(generator), metrics, told)
