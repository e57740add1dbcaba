"""The README that a landscape checkpoint is born with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.landscape.config import LandscapeConfig
from models.landscape.palette import PALETTE
from training.landscape.settings import LandscapeSettings

SHEET = """![held-out maps, their photos, and what the model paints for four seeds](sheet.jpg)

Each row: a held-out label map, the photo that it was made from (never seen in training), four seeds.

"""
WEAKNESSES = """## Known weaknesses

- Houses are blocks with windows at best: few landscapes with labels have any.
- The generator keeps outlines as they are drawn; the engine makes them natural unless told not to.
- Snow was split off mountains and clouds off the sky by their colours, with mistakes.
- A large plain area may repeat a pattern; some seeds' skies are streaked.

"""
TERMS = """## Terms

The weights were trained on the photos named above (SIFT Flow is from LabelMe; photos of Flickr are their
photographers'), which are for research and non-commercial use. So are the weights. The code that made them is
Apache-2.0.
"""
OWN_TERMS = """## Terms

What the photos named above may be used for holds for the weights. Where the bundled segmenter labelled photos
or filled what maps left open: it was trained on photos for research and non-commercial use. The code that
made the weights is Apache-2.0.
"""

FACTS = ("steps", "pictures_seen", "training_seconds", "parameters", "level_steps", "window_steps")
KEPT_SECTIONS = ("Training", "Known weaknesses", "Terms")  # where only figures and pictures are of before


def write_readme(
    config: LandscapeConfig, settings: LandscapeSettings, metrics: Mapping[str, Any], has_sheet: bool
) -> str:
    """Return Markdown: what it is, how it was trained, figures, picture if there is one, terms."""
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in metrics.items())
    classes = ", ".join(entry.name for entry in PALETTE[: len(config.classes)])
    is_siftflow = "SIFT Flow" in config.training_data
    return f"""# Landscape GAN, {config.image_size} pixels on the longer side

Paints a landscape from a colour sketch and a seed; single classes can be given a seed of their own. Sketches
of any aspect ratio from 1:2 to 2:1 keep it.

{SHEET if has_sheet else ""}## Figures

| | |
|---|---|
{rows}

What they mean, and what they are measured beside: docs/training-landscape.md.

## Training

- Data: {config.training_data}. A photo is held out if `int(sha1(file name), 16) % 10 == 0`.
- Classes: {classes}.
- {settings.steps} steps of {settings.batch} pictures planned; generator widths {list(settings.widths)},
  discriminators on the features of {", ".join(settings.networks)} (ImageNet, Apache-2.0, not part of the
  weights) and one from scratch, widths {list(settings.discriminator_widths)}.
- Half of the inputs are made drawn-like: coarse, rounded, blocky, wobbly.
- A seed picks the styles (colours, contrast, gradient, roughness of every class) of one training photo that
  shows what is drawn, a little varied, and the noise that form and grain come from.

{WEAKNESSES + TERMS if is_siftflow else OWN_TERMS}"""


def readme_after(readme: str, more: str) -> str:
    """What a checkpoint's README still says of it once its weights were trained further: ``more`` says how.

    Its figures, and the pictures that it shows, are of before.
    """
    title, *sections = readme.split("\n## ")
    kept = [section for section in sections if section.partition("\n")[0] in KEPT_SECTIONS]
    told = f"""{title.partition(chr(10))[0] or "# Landscape GAN"}

The weights of a trained checkpoint after {more}. Nothing has been measured since:
`make eval-landscape MODEL=FOLDER` does.
"""
    return "\n## ".join([told, *kept])


def facts_after(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What of a checkpoint's metrics is true once its weights were trained further."""
    return {name: value for name, value in metrics.items() if name in FACTS}
