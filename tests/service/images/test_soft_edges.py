"""Blurred and JPEG-compressed drawings are the classes that were drawn, and never one in between."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.errors import RequestError
from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, drawn_colors, rgb_array
from service.images.palette_match import EXACT_DELTA_E, MAX_DELTA_E, NEAR_DELTA_E
from service.images.sketch import Sketch, sketch_from_pixels

SIZE = 256
PALETTE_RGB = rgb_array()
SKY, GRASS, SEA, ROCK = (CLASS_NAMES.index(name) for name in ("sky", "grass", "sea", "rock"))
PAIRS = list(itertools.permutations(range(NUM_CLASSES), 2))
Labels = NDArray[np.uint8]


def halves(first: int, second: int, height: int, width: int, slope: float) -> Labels:
    rows, columns = np.mgrid[:height, :width]
    return np.where(columns + slope * rows < width * (0.5 + slope / 2) + 3, first, second).astype(np.uint8)


def layout(seed: int, num_classes: int = 7) -> Labels:
    """Areas around random points, each of one of a few classes."""
    rng = np.random.default_rng(seed)
    points, classes = rng.uniform(0, SIZE, (25, 2)), rng.choice(NUM_CLASSES, num_classes, replace=False)
    cells = np.moveaxis(np.mgrid[:SIZE, :SIZE], 0, -1)[:, :, None] - points
    labels: Labels = classes[(cells**2).sum(axis=-1).argmin(axis=-1) % num_classes].astype(np.uint8)
    return labels


def read(picture: Image.Image) -> Sketch:
    return sketch_from_pixels(np.asarray(picture.convert("RGBA")), SIZE, "sketch")


def softened(labels: Labels, blur: float, quality: int | None, image_format: str = "JPEG") -> Image.Image:
    """The drawing as a paint program may save it: blurred by so many pixels, colour at half resolution."""
    picture = Image.fromarray(PALETTE_RGB[labels]).filter(ImageFilter.GaussianBlur(blur))
    return picture if quality is None else recoded(picture, quality, image_format)


def recoded(picture: Image.Image, quality: int, image_format: str = "JPEG") -> Image.Image:
    file = io.BytesIO()
    picture.save(file, image_format, quality=quality)
    return Image.open(file)


def strangers(first: int, second: int, labels: Labels, blur: float, quality: int | None) -> list[str]:
    seen = np.unique(read(softened(labels, blur, quality)).label_map)
    return [CLASS_NAMES[one] for one in seen if one not in (first, second)]


def test_no_pair_of_classes_has_a_third_between() -> None:
    """Blurred by 2 pixels and saved as JPEG of quality 75, every pair, one way round."""
    found = {
        (CLASS_NAMES[first], CLASS_NAMES[second]): strange
        for first, second in PAIRS
        if first < second
        if (strange := strangers(first, second, halves(first, second, 256, 512, 0.37), 2, 75))
    }
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0, 0.37])
@pytest.mark.parametrize(("blur", "quality"), [(2, 75), (2, None), (0, 75), (3, 75)])
def test_no_pair_of_classes_has_a_third_between_however_soft(
    slope: float, blur: float, quality: int | None
) -> None:
    found = {
        (CLASS_NAMES[first], CLASS_NAMES[second]): strange
        for first, second in PAIRS
        if (strange := strangers(first, second, halves(first, second, 512, 512, slope), blur, quality))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("blur", "quality", "image_format", "least"),
    [(0, 75, "JPEG", 0.995), (2, 75, "JPEG", 0.98), (2, 75, "WEBP", 0.98), (2, None, "", 0.985)],
)
@pytest.mark.parametrize("scale", [1, 2, 5])
def test_a_soft_layout_is_its_layout(
    blur: float, quality: int | None, image_format: str, least: float, scale: int
) -> None:
    for seed in range(2):
        labels = layout(seed)
        large = labels.repeat(scale, axis=0).repeat(scale, axis=1)
        sketch = read(softened(large, blur * scale / 2, quality, image_format))
        assert np.mean(sketch.label_map == labels) > least
        assert np.mean(~np.isin(sketch.label_map, labels)) == 0
        assert sketch.unmatched_fraction < 0.02


def shifted(label: int, delta: float) -> NDArray[np.uint8]:
    """A colour at about this distance of the nearest that is taken, which is one of this class."""
    colors, classes = drawn_colors()
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (20_000, 3), dtype=np.uint8)
    distance = np.linalg.norm(rgb_to_lab(rgb)[:, None] - rgb_to_lab(colors), axis=2)
    error = np.abs(distance.min(axis=1) - delta) + 1000 * (classes[distance.argmin(axis=1)] != label)
    assert error.min() < 0.3
    color: NDArray[np.uint8] = rgb[error.argmin()]
    return color


@pytest.mark.parametrize("delta", [0.5 * (EXACT_DELTA_E + NEAR_DELTA_E), NEAR_DELTA_E - 1])
def test_an_area_near_a_colour_is_of_its_class(delta: float) -> None:
    rgb = np.full((64, 64, 3), PALETTE_RGB[SKY])
    rgb[32:] = shifted(GRASS, delta)
    sketch = read(Image.fromarray(rgb))
    assert (sketch.label_map[:128] == SKY).all()
    assert (sketch.label_map[128:] == GRASS).all()
    assert sketch.unmatched_fraction == 0


@pytest.mark.parametrize("delta", [NEAR_DELTA_E + 1, 12, MAX_DELTA_E - 1])
def test_an_area_that_only_resembles_a_colour_is_unmatched(delta: float) -> None:
    """Another program's palette has such colours by chance: silence would be a guess."""
    rgb = np.full((64, 64, 3), PALETTE_RGB[SKY])
    rgb[40:] = shifted(GRASS, delta)
    assert read(Image.fromarray(rgb)).unmatched_fraction == pytest.approx(24 / 64)
    rgb[:] = shifted(GRASS, delta)
    with pytest.raises(RequestError, match="100% of the drawn pixels are in no colour of the palette"):
        read(Image.fromarray(rgb))


def test_noise_around_an_area_is_of_its_class() -> None:
    """As JPEG leaves it along edges: farther from the colour than an area may be."""
    rgb = np.full((64, 64, 3), PALETTE_RGB[GRASS])
    rgb[::3, ::3][8:14, 8:14] = shifted(GRASS, 12)
    sketch = read(Image.fromarray(rgb))
    assert (sketch.label_map == GRASS).all()
    assert sketch.unmatched_fraction == 0


@pytest.mark.parametrize("width", [1, 2])
def test_a_thin_line_in_an_exact_colour_stays_beside_soft_edges(width: int) -> None:
    labels = np.full((256, 256), SEA, np.uint8)
    labels[:, 128:] = GRASS
    picture = np.array(softened(labels, 2, None))
    picture[:, 126 : 126 + width] = PALETTE_RGB[ROCK]
    label_map = read(Image.fromarray(picture)).label_map
    assert (label_map[:, 126 : 126 + width] == ROCK).all()
    assert set(np.unique(label_map)) == {SEA, GRASS, ROCK}
