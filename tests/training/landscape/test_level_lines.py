"""Level lines: maps that have them, pictures without bands below them, and a generator that learns so."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import read_metrics, save_checkpoint
from models.landscape.engine import LandscapeEngine
from models.landscape.generator import Generator
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES
from training.landscape import level_lines
from training.landscape.batches import Batches
from training.landscape.level_lines import draw_level_map, main, remove_bands, smooth_below
from training.landscape.settings import PRESETS
from training.landscape.style_bank import make_bank
from training.photos.pack import write_pack
from training.photos.photo_set import PhotoSet
from training.storage import round_weights

SKY, SEA, ROCK = (CLASS_NAMES.index(name) for name in ("sky", "sea", "rock"))
SETTINGS = PRESETS["minute"].model_copy(update={"image_size": 128, "widths": (24, 24, 16, 8, 8)})
LINE, BAND = 100, 50  # the horizon's row, and where the band begins below it


def banded_seas(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Seas of one map with one band from side to side, each with a wave of its own, and a rock; the map."""
    labels = np.full((256, 256), SKY, np.uint8)
    labels[LINE:] = SEA
    labels[180:220, 20:60] = ROCK
    pictures = np.random.default_rng(0).normal(0, 0.05, (count, 3, 256, 256)).astype(np.float32)
    pictures[:, :, LINE + BAND :] += 0.4
    for number, picture in enumerate(pictures):
        top = 165 + 14 * number
        picture[:, top : top + 8, 100:140] += 0.3  # a wave
    pictures[:, :, labels == ROCK] = -0.5
    return pictures, labels


def test_a_band_goes_and_waves_stay() -> None:
    pictures, labels = banded_seas()
    smoothed = smooth_below(pictures, labels, [SEA])

    def step(seas: np.ndarray) -> float:
        rows = seas.mean(axis=(0, 1))[:, 62:68].mean(axis=1)  # beside the waves
        return float(np.abs(np.diff(rows))[LINE + 10 :].max())

    assert step(pictures) > 0.35
    assert step(smoothed) < 0.1
    np.testing.assert_array_equal(smoothed[:, :, labels != SEA], pictures[:, :, labels != SEA])
    np.testing.assert_array_equal(smoothed[:, :, LINE], pictures[:, :, LINE])
    np.testing.assert_allclose(smoothed[:, :, : LINE + 8], pictures[:, :, : LINE + 8], atol=0.02)
    for number, picture in enumerate(smoothed):
        top = 165 + 14 * number
        wave = picture[0, top : top + 8, 100:140].mean() - picture[0, top : top + 8, 150:200].mean()
        above = picture[0, top : top + 8, 100:140].mean() - picture[0, top - 6 : top - 2, 100:140].mean()
        assert 0.28 < wave < 0.32  # of 0.3
        assert 0.22 < above < 0.38
    grain, before = (part[:, :, LINE + 20 :, 100:140] for part in (smoothed, pictures))
    grain, before = (part - part.mean(axis=3, keepdims=True) for part in (grain, before))
    assert np.corrcoef(grain.ravel(), before.ravel())[0, 1] > 0.99


def test_a_band_follows_its_line() -> None:
    labels = np.full((256, 256), SKY, np.uint8)
    top = 90 + (np.arange(256) // 32 % 2) * 12
    pictures = np.zeros((2, 3, 256, 256), np.float32)
    for column, row in enumerate(top):
        labels[row:, column] = SEA
        pictures[:, :, row + BAND :, column] = 0.5
    smoothed = smooth_below(pictures, labels, [SEA])
    assert np.abs(np.diff(smoothed[0, 0, :, 5]))[110:].max() < 0.06


def test_what_is_small_stays() -> None:
    pictures, labels = banded_seas()
    np.testing.assert_array_equal(smooth_below(pictures, labels, [ROCK]), pictures)
    np.testing.assert_array_equal(smooth_below(pictures, labels, [CLASS_NAMES.index("lake")]), pictures)


def test_level_maps_are_drawn_by_chance() -> None:
    seen = set()
    for seed in range(60):
        labels, lower = draw_level_map(np.random.default_rng(seed), 128)
        again, _ = draw_level_map(np.random.default_rng(seed), 128)
        np.testing.assert_array_equal(labels, again)
        assert labels.shape == (128, 128)
        assert labels.max() < NUM_CLASSES
        assert (labels == lower[0]).mean() > 0.02
        seen |= {CLASS_NAMES[number] for number in lower}
    assert {"sea", "grass", "sand", "lake"} <= seen


@pytest.fixture
def photos() -> PhotoSet:
    """Four of noise, with maps of blocks."""
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (4, 128, 128, 3), np.uint8)
    maps = np.repeat(np.repeat(draws.integers(0, 3, (4, 8, 8), np.uint8), 16, 1), 16, 2)
    return PhotoSet(tuple(f"{number}.jpg" for number in range(4)), pixels, maps)


@pytest.fixture
def generator(photos: PhotoSet) -> Generator:
    """An untrained one, with the photos' styles."""
    torch.manual_seed(0)
    made = Generator(SETTINGS.model("noise", 4)).eval()
    made.styles.copy_(make_bank(photos.photos, photos.maps).styles)
    return made


def test_a_generator_learns_and_the_given_one_does_not(
    photos: PhotoSet, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Towards a target that is brighter everywhere, since an untrained one paints no bands."""
    monkeypatch.setattr(level_lines, "RATE", 2e-3)
    monkeypatch.setattr(level_lines, "smooth_below", lambda pictures, *_: pictures + 0.2)
    bank = make_bank(photos.photos, photos.maps)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    student = remove_bands(generator, Batches(photos, bank, SETTINGS, torch.device("cpu")), 12, print)
    after = student.state_dict()
    for name, tensor in generator.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    for name in ("styles", "blocks.0.first.norm.running_mean", "blocks.0.first.norm.running_var"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    labels = torch.from_numpy(draw_level_map(np.random.default_rng(5), 128)[0])[None].long()
    noise = [torch.zeros(1, *shape) for shape in generator.config.noise_shapes(128, 128)]
    with torch.no_grad():
        was, now = (network(labels, bank.styles[:1], noise) for network in (generator, student))
    assert (now - was).mean() > 0.05


def test_a_checkpoint_loses_its_figures_with_its_bands(
    photos: PhotoSet, generator: Generator, tmp_path: Path
) -> None:
    write_pack(photos, tmp_path / "photos.pack")
    figures = {"steps": 9, "pictures_seen": 36, "frechet_lite2": 1.5}
    true_still = "## Training\n\n- Long.\n\n## Terms\n\nNone.\n"
    readme = f"# A model\n\n![a sheet](sheet.jpg)\n\n## Figures\n\n1.5\n\n{true_still}"
    save_checkpoint(tmp_path / "before", generator.config, round_weights(generator), figures, readme)
    arguments = ["before", "--pack", "photos.pack", "--out", "after"]
    paths = [one if one.startswith("--") else str(tmp_path / one) for one in arguments]
    main([*paths, "--steps", "2"])
    after = tmp_path / "after"
    assert read_metrics(after) == {"steps": 9, "pictures_seen": 36, "level_steps": 2}
    told = (after / "README.md").read_text()
    assert told.startswith("# A model\n")
    assert "2 steps more" in told
    assert told.endswith(f"\n\n{true_still}")
    assert "1.5" not in told
    assert "![" not in told
    LandscapeEngine.load(after, "cpu")
    main([str(after), *paths[1:], "--steps", "1"])
    assert read_metrics(after)["level_steps"] == 3
    (tmp_path / "before" / "README.md").unlink()
    main([*paths, "--steps", "2"])
    assert (after / "README.md").read_text().startswith("# Landscape GAN\n")
