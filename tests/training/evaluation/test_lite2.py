"""lite2 sees whole pictures and windows of them; what is missing close up shows in the near distance."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training.evaluation import lite2 as module
from training.evaluation.lens import DISTANCES, Lens
from training.evaluation.lite2 import WINDOWS, Lite2, cut_windows
from training.evaluation.yardstick import Yardstick


@pytest.fixture(scope="module")
def lite2() -> Lite2:
    return Lite2()


def hills(count: int, seed: int) -> np.ndarray:
    """Skies over grainy land, with horizons and shades of their own."""
    draw = np.random.default_rng(seed)
    pictures = np.empty((count, 64, 64, 3))
    for picture in pictures:
        horizon = int(draw.integers(16, 48))
        picture[:horizon] = np.array([120, 160, 220]) + draw.integers(-30, 30, 3)
        grain = draw.normal(0, 20, (64 - horizon, 64, 1))
        picture[horizon:] = np.array([60, 110, 50]) + draw.integers(-30, 30, 3) + grain
    return pictures.clip(0, 255).astype(np.uint8)


def smoothed(pictures: np.ndarray) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.fromarray(picture).filter(ImageFilter.BoxBlur(2))) for picture in pictures]
    )


def test_sees_as_the_published_network_does(lite2: Lite2) -> None:
    """Pinned from the network of the package efficientnet-lite-pytorch, pooled, with the same weights."""
    ramp = np.arange(224, dtype=np.uint8)
    picture = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(90)), axis=-1)
    features = lite2.look(picture[None]).far
    assert features.shape == (1, 1280)
    expected = {302: 3.7317, 749: 2.7395, 833: 3.2858, 966: 4.901, 1005: 2.9543, 1100: 3.4848}
    np.testing.assert_allclose(features[0, list(expected)], list(expected.values()), atol=2e-4)


def test_does_not_depend_on_the_batch(lite2: Lite2) -> None:
    pictures = hills(3, 0)
    whole, first = lite2.look(pictures), lite2.look(pictures[:1])
    np.testing.assert_allclose(whole.far[:1], first.far, atol=1e-4)
    np.testing.assert_allclose(whole.near[:1], first.near, atol=1e-4)


def test_windows_are_fixed_and_all_over_the_picture() -> None:
    places = np.arange(256)
    picture = np.stack(np.broadcast_arrays(places[:, None], places[None], 0), axis=-1).astype(np.uint8)
    pictures = np.repeat(picture[None], 200, axis=0)
    windows = cut_windows(pictures, 2)
    assert windows.shape == (400, 96, 96, 3)
    np.testing.assert_array_equal(windows[:6], cut_windows(pictures[:3], 2))
    corners = windows[:, 0, 0, :2]
    assert corners.min() < 5
    assert corners.max() > 155
    for single in (corners, cut_windows(pictures, 1)[:, 0, 0, :2]):
        quarters = np.unique(single // 80.5, axis=0, return_counts=True)
        assert quarters[0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
        assert np.ptp(quarters[1]) < 8  # as many in each


def test_photos_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = hills(2, 1)
    first = Lite2(cache=tmp_path / "new").look(photos, keep=True)
    assert first.near.shape == (2, WINDOWS, 1280)
    blind = Lite2(cache=tmp_path / "new")
    monkeypatch.setattr(blind, "_describe", lambda _: pytest.fail("looked again"))
    again = blind.look(photos, keep=True)
    np.testing.assert_array_equal(first.far, again.far)
    np.testing.assert_array_equal(first.near, again.near)
    for others in (photos[::-1].copy(), photos):
        with pytest.raises(pytest.fail.Exception):
            blind.look(others, windows=1, keep=others is photos)


def test_yardstick_tells_a_good_painter_from_a_smooth_and_a_dark_one(
    lite2: Lite2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INPUT", 64)  # enough for pictures of 64², and quick
    monkeypatch.setattr("training.evaluation.lens.DIRECTIONS", 6)
    photos, real, good = (hills(count, seed) for count, seed in ((90, 0), (60, 1), (60, 2)))
    views = lite2.look(photos, windows=1)
    lens = Lens(views)
    stick = Yardstick(lens(views), lens(lite2.look(real)))
    fine, smooth, dark = (lens(lite2.look(pictures)) for pictures in (good, smoothed(good), good // 2))
    for name, ratio in stick.ratios(fine).items():
        assert ratio < 2, name
        assert stick.ratios(smooth)[name] > 2 * ratio, name
        assert stick.ratios(dark)[name] > 2 * ratio, name
        low, high = stick.intervals(fine)[name]
        assert low < ratio < high
    assert set(stick.measure(fine)) == set(DISTANCES)
    assert stick.measure(dark)["kernel_lite2"] > 3 * abs(stick.measure(fine)["kernel_lite2"])
