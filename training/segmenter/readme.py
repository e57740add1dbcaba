"""The README and the sheet that a segmenter, served or not, is born with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.landscape.config import PaletteConfig
from models.landscape.palette import UNLABELLED, rgb_array
from training.photos.photo_set import PhotoSet
from training.photos.sheet import encode, spread_rows, tile
from training.segmenter.settings import LabellerSettings

SHEET_ROWS, SHEET_COLUMNS = 8, 3


def write_sheet(data: PhotoSet, predicted: Sequence[NDArray[np.uint8]]) -> bytes:
    """JPEG: photo, its own labels (black: none), predicted labels, for photos spread over the set."""
    colours = np.zeros((UNLABELLED + 1, 3), dtype=np.uint8)
    colours[: len(rgb_array())] = rgb_array()
    groups = [
        [data.photos[row], colours[data.maps[row]], colours[predicted[row]]]
        for row in spread_rows(data, SHEET_ROWS * SHEET_COLUMNS)
    ]
    starts = range(0, len(groups) // SHEET_COLUMNS * SHEET_COLUMNS, SHEET_COLUMNS) or range(1)
    lines = [
        [picture for group in groups[start : start + SHEET_COLUMNS] for picture in group] for start in starts
    ]
    return encode(Image.fromarray(tile(lines)))


def write_readme(
    title: str,
    purpose: str,
    config: PaletteConfig,
    settings: LabellerSettings,
    metrics: Mapping[str, Any],
) -> str:
    """Return Markdown: what it is, how it was trained, figures, picture, terms."""
    natural = metrics["natural_scenes"]
    classes = "\n".join(
        f"| {name} | {value} | {natural['iou'].get(name, '')} |" for name, value in metrics["iou"].items()
    )
    return f"""# {title}, {config.image_size}×{config.image_size}

{purpose}

![photo, own labels, predicted labels](sheet.jpg)

Three columns of photo, its own labels (black: none), predicted labels; all held out.

## Figures

On {metrics["held_out_photos"]} held-out photos, all classes, stored weights, mirror image averaged in.
Streets and towns are scored too, because landscapes hardly have road and buildings:

| | all scenes | natural scenes |
|---|---|---|
| pixel accuracy | {metrics["pixel_accuracy"]} | {natural["pixel_accuracy"]} |
| mean IoU | {metrics["mean_iou"]} | {natural["mean_iou"]} |
{classes}

{metrics["parameters"]} parameters, {metrics["steps"]} steps, {metrics["training_seconds"]} s of training.

"snow" is scored against the rule that split it off "mountain", not against a person's labels.

## Training

Data: {config.training_data}.
A photo is held out if `int(sha1(file name), 16) % 10 == 0`. {settings.steps} steps of {settings.batch} photos
planned: zoomed crops, mirrors, colour shifts, CutMix, label smoothing, stochastic depth, averaged weights,
stored as bfloat16.

## Terms

The weights were trained on photos of SIFT Flow (LabelMe outdoor), which are for research and non-commercial
use. So are the weights. The code that made them is Apache-2.0.
"""
