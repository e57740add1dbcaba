"""The page reads a picture's pixels as the API does: the same rule, written twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFilter

from models.landscape.palette import PALETTE, rgb_array
from service.images.label_map import HOLE
from service.images.sketch import read_pixels
from tests.service.images.test_background import island
from tests.service.images.test_sketch import paint, random_labels
from tests.service.images.test_soft_edges import layout, recoded, softened

NODE = shutil.which("node")
HELPER = Path(__file__).parents[2] / "studio" / "read_labels.mjs"
PAGE_HOLE = 254
Pixels = NDArray[np.uint8]


def soft(seed: int, blur: float, quality: int | None, image_format: str = "JPEG") -> Pixels:
    return np.asarray(softened(layout(seed, 9), blur, quality, image_format).convert("RGBA"))


def on_paper(color: str, blur: float, quality: int | None) -> Pixels:
    picture = island(color, over=2).filter(ImageFilter.GaussianBlur(blur))
    return np.asarray((recoded(picture, quality) if quality else picture).convert("RGBA"))


def scattered(seed: int) -> Pixels:
    """A soft layout with pixels strewn over it: exact, near, noise, transparent."""
    rng = np.random.default_rng(seed)
    rgba = soft(seed, 1, 75).copy()
    for colors, spread in ((rgb_array(), 0), (rgb_array(), 12), (rng.integers(0, 256, (50, 3)), 0)):
        rows, columns = rng.integers(0, len(rgba), (2, 2000))
        strewn = colors[rng.integers(0, len(colors), 2000)].astype(int)
        strewn += rng.integers(-spread, spread + 1, strewn.shape)
        rgba[rows, columns, :3] = strewn.clip(0, 255)
    rgba[:, :, 3] = rng.choice([0, 127, 128, 255], rgba.shape[:2], p=[0.02, 0.01, 0.01, 0.96])
    return rgba


PICTURES = {
    "exact": paint(random_labels(37, 53, holes=0.1)),
    "blurred": soft(1, 2, None),
    "jpeg": soft(2, 0, 75),
    "blurred jpeg": soft(3, 2, 75),
    "odd sides": soft(4, 2, 60)[:201, 9:256],
    "webp": soft(5, 1, 75, "WEBP"),
    "scattered": scattered(6),
    "on paper": on_paper("#ffffff", 0, None),
    "softly on paper": on_paper("#f4ecd8", 2, 75),
    "on black": on_paper("#000000", 1, None),
}


def read_by_page(folder: Path, pictures: dict[str, Pixels]) -> dict[str, Pixels]:
    assert NODE
    asked = []
    for name, rgba in pictures.items():
        (folder / name).write_bytes(rgba.tobytes())
        asked.append({"path": str(folder / name), "width": rgba.shape[1], "height": rgba.shape[0]})
    colors = [[entry.color, *entry.earlier_colors] for entry in PALETTE]
    request = json.dumps({"colors": colors, "pictures": asked})
    subprocess.run([NODE, HELPER], input=request, text=True, check=True, timeout=120)
    return {
        name: np.frombuffer((folder / f"{name}.labels").read_bytes(), np.uint8).reshape(rgba.shape[:2])
        for name, rgba in pictures.items()
    }


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_and_the_api_agree_on_every_pixel(tmp_path: Path) -> None:
    for name, by_page in read_by_page(tmp_path, PICTURES).items():
        labels = read_pixels(PICTURES[name], 256, "sketch", ignores_background=True).classes
        assert len(np.unique(labels)) > 2
        differ = by_page != np.where(labels == HOLE, PAGE_HOLE, labels)
        assert differ.mean() < 1e-4, f"{name}: {differ.sum()} pixels"  # 1e-4: float32 against float64
