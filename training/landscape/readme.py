"""The README that a landscape checkpoint is born with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.landscape.config import LandscapeConfig
from models.landscape.palette import PALETTE
from training.landscape.settings import LandscapeSettings


def write_readme(
    config: LandscapeConfig, settings: LandscapeSettings, metrics: Mapping[str, Any], num_held_out: int
) -> str:
    """Return Markdown: what it is, how it was trained, figures, picture, terms."""
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {value} |" for name, value in metrics.items() if name != "grown_from"
    )
    history = "".join(
        f"- Grown from a run at {size}×{size}: {run['steps']} steps of {run['batch']}.\n"
        for run in metrics["grown_from"]
        for size in [run["image_size"]]
    )
    classes = ", ".join(f"{entry.name} `{entry.color}`" for entry in PALETTE)
    return f"""# Landscape GAN, {config.image_size}×{config.image_size}

Paints a landscape from a colour sketch and a seed; single classes can be given a seed of their own.

![held-out maps, their photos, and what the model paints for four seeds](sheet.jpg)

Each row: a held-out label map, the photo that it was made from (never seen in training), four seeds.

## Figures

| | |
|---|---|
{rows}

`frechet_random` is a Fréchet distance in the features of a random network between paintings of
{num_held_out} held-out maps and their photos; `frechet_random_real` is the same between real photos and real
photos. It is not an FID and compares only with itself.

## Training

- Data: {config.training_data}. A photo is held out if `int(sha1(file name), 16) % 10 == 0`.
- Labels: {classes}.
{history}- Settings: {settings.steps} steps of {settings.batch} pictures planned; generator widths
  {list(settings.widths)}, discriminator widths {list(settings.discriminator_widths)}.
- {settings.sketch_share:.0%} of the inputs are made drawn-like (warped, coarse, straightened, holes filled).

- A seed picks the styles (colours, contrast, gradient, roughness of every class) of one training photo, a
  little varied, and the grain; what the picture shows comes from the network. Colours are asked for with a
  correction for each class, so that on average they come out as in the photos.

## Known weaknesses

- About a thousand landscapes that people labelled, with so little road and building that these are painted
  badly.
- There is no class for clouds, and snow was split off mountains by brightness, with mistakes.
- Large areas of one class (a whole forest, a whole mountain) get texture but little structure.
- That texture is grain rather than form in rock, trees and mountains, and clouds are ripples.
- The picture obeys the sketch's outlines closely: a wobbly outline stays wobbly.

## Terms

The weights were trained on the photos named above (SIFT Flow is from LabelMe; photos of Flickr are their
photographers'), which are for research and non-commercial use. So are the weights. The code that made them is
Apache-2.0.
"""
