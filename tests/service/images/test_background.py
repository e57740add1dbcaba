"""Paper around a drawing is not drawn yet, where that is asked for; else unmatched, and it is said why."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from models.errors import RequestError
from models.landscape.palette import CLASS_NAMES, rgb_array
from service.images.sketch import Sketch, sketch_from_pixels

SIZE = 256
GRASS, SKY, SEA = (CLASS_NAMES.index(name) for name in ("grass", "sky", "sea"))


def island(paper: str, radius: int = 60, over: int = 1) -> Image.Image:
    """A disc of grass with a disc of sea in it, on paper; ``over``: how many times as large."""
    image = Image.new("RGB", (SIZE * over, SIZE * over), paper)
    for label, part in ((GRASS, radius), (SEA, radius // 2)):
        low, high = (SIZE // 2 - part) * over, (SIZE // 2 + part) * over
        ImageDraw.Draw(image).ellipse((low, low, high, high), fill=tuple(rgb_array()[label].tolist()))
    return image


def read(image: Image.Image, ignores_background: bool = True) -> Sketch:
    rgba = np.asarray(image.convert("RGBA"))
    return sketch_from_pixels(rgba, SIZE, "sketch", ignores_background=ignores_background)


@pytest.mark.parametrize("paper", ["#ffffff", "#000000", "#ff00ff", "#f4ecd8"])
@pytest.mark.parametrize("blur", [0, 2])
def test_paper_of_any_single_colour_is_not_drawn(paper: str, blur: float) -> None:
    image = island(paper).filter(ImageFilter.GaussianBlur(blur))
    sketch = read(image)
    assert set(np.unique(sketch.label_map)) == {GRASS, SEA}
    assert (sketch.label_map[[0, -1]] == GRASS).all()
    assert sketch.unmatched_fraction < 0.01
    assert sketch.unlabelled_fraction == pytest.approx(1 - np.pi * 60**2 / SIZE**2, abs=0.02)
    with pytest.raises(RequestError, match=f"8[0-9]% of the picture are {paper}, .* background=ignore"):
        read(image, ignores_background=False)


def test_a_large_drawing_is_read_as_a_small_one() -> None:
    small, large = read(island("#ffffff")), read(island("#ffffff", over=5))
    assert np.mean(small.label_map != large.label_map) < 0.01


def test_less_than_half_of_paper_is_unmatched_and_ignored_the_same() -> None:
    image = island("#ffffff", radius=120)
    assert read(image, ignores_background=False).unmatched_fraction == pytest.approx(0.31, abs=0.01)
    assert read(image).unmatched_fraction == 0


def test_paper_that_is_enclosed_is_unmatched() -> None:
    image = Image.new("RGB", (SIZE, SIZE), tuple(rgb_array()[GRASS].tolist()))
    image.paste("#ffffff", (64, 64, 128, 128))
    assert read(image).unmatched_fraction == pytest.approx(1 / 16)


def test_a_soft_edge_that_meets_the_border_is_no_paper() -> None:
    halves = Image.new("RGB", (SIZE, SIZE), tuple(rgb_array()[GRASS].tolist()))
    halves.paste(tuple(rgb_array()[SKY].tolist()), (0, 0, SIZE, SIZE // 2))
    soft = halves.filter(ImageFilter.GaussianBlur(3))
    assert read(soft).unlabelled_fraction == 0
    np.testing.assert_array_equal(read(soft).label_map, read(soft, ignores_background=False).label_map)


def test_an_exact_drawing_has_no_background() -> None:
    exact = Image.new("RGB", (SIZE, SIZE), tuple(rgb_array()[SKY].tolist()))
    assert read(exact).unlabelled_fraction == 0


def test_nothing_but_paper_is_empty() -> None:
    with pytest.raises(RequestError, match="empty"):
        read(Image.new("RGB", (SIZE, SIZE), "white"))
    with pytest.raises(RequestError, match=r"in no colour of the palette; GET /palette lists its colours$"):
        read(Image.new("RGB", (SIZE, SIZE), "white"), ignores_background=False)


def test_what_is_drawn_on_paper_in_other_colours_is_still_unmatched() -> None:
    image = Image.new("RGB", (SIZE, SIZE), "white")
    ImageDraw.Draw(image).rectangle((50, 50, 200, 200), fill="#ff00ff")
    for ignores_background in (True, False):  # which would not help, and is not suggested
        with pytest.raises(RequestError, match=r"100% of the drawn pixels are in no colour .* its colours$"):
            read(image, ignores_background)
