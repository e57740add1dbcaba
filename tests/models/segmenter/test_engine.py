"""The segmenter and its engine: any photo shape, order, the same bytes whatever the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointError, load_weights, read_config, save_checkpoint
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES
from models.segmenter.config import SegmenterConfig
from models.segmenter.engine import SegmenterEngine, predict, prepare
from models.segmenter.network import Segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = SegmenterConfig(image_size=64, training_data="noise", encoder="lite0", decoder_width=16)
    made = tmp_path_factory.mktemp("checkpoints") / "segmenter"
    save_checkpoint(made, config, Segmenter(config).state_dict(), {"mean_iou": 0.1}, "# A test\n")
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> SegmenterEngine:
    return SegmenterEngine.load(folder, "cpu")


SCALE = 4  # 256 / 64
SHAPES = {  # of photos, and of what the network sees
    (64, 64): (64, 64),
    (300, 300): (64, 64),
    (50, 200): (16, 64),
    (200, 50): (64, 16),
    (30, 200): (10, 64),
    (97, 64): (64, 42),
    (16, 4096): (1, 64),
}


def some_photos() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(256, size=(*shape, 3), dtype=np.uint8) for shape in SHAPES]


def test_a_map_has_its_photos_aspect_ratio(engine: SegmenterEngine) -> None:
    photos = some_photos()
    maps = engine.forward(photos)
    assert [labels.shape for labels in maps] == [(SCALE * h, SCALE * w) for h, w in SHAPES.values()]
    assert all(labels.dtype == np.uint8 and labels.max() < NUM_CLASSES for labels in maps)
    for photo, labels in zip(photos, maps, strict=True):
        assert np.array_equal(engine.forward([photo])[0], labels)
    assert engine.forward([]) == []


def test_edges_are_smooth(engine: SegmenterEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slanted edge between two classes moves on by about as much in every row, and not in steps of four."""
    rows, columns = np.mgrid[:64, :64]
    share = torch.from_numpy((0.5 + (columns - rows / 3 - 20) / 4).clip(0, 1)).float()  # a step of 1 in 3
    probabilities = torch.zeros(NUM_CLASSES, 64, 64)
    probabilities[0], probabilities[3] = 1 - share, share
    monkeypatch.setattr(engine, "probabilities", lambda _: probabilities)
    labels = engine.forward([np.zeros((64, 64, 3), np.uint8)])[0]
    assert set(np.unique(labels)) == {0, 3}
    edge = (labels == 0).sum(axis=1)
    assert np.abs(edge - (80 + np.arange(256) / 3)).max() < 3
    assert set(np.diff(edge)) == {0, 1}


def test_batches_of_fixed_sizes_give_the_same_maps(folder: Path, engine: SegmenterEngine) -> None:
    network = Segmenter(read_config(folder, SegmenterConfig))
    load_weights(folder, network)
    photos = some_photos() * 3 + some_photos()[:2] * 7  # more squares than one batch holds
    maps = SegmenterEngine(network, "cpu", {}, SCALE, is_fixed=True).forward(photos)
    assert len(maps) == 35
    for labels, alone in zip(maps, engine.forward(photos), strict=True):
        assert labels.shape == alone.shape
        assert np.mean(labels != alone) < 0.001


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_probabilities_sum_to_one_and_ignore_mirroring(engine: SegmenterEngine, number: int) -> None:
    photo = some_photos()[number]
    straight = engine.probabilities(photo)
    torch.testing.assert_close(straight.sum(dim=0), torch.ones(list(SHAPES.values())[number]))
    mirrored = engine.probabilities(photo[:, ::-1])
    torch.testing.assert_close(mirrored.flip(2), straight, atol=1e-4, rtol=0)


def test_prepare_scales_to_the_networks_range() -> None:
    photo = np.zeros((10, 20, 3), dtype=np.uint8)
    photo[..., 1] = 255
    picture = prepare(photo, (8, 16))
    assert picture.shape == (1, 3, 8, 16)
    torch.testing.assert_close(picture.mean(dim=(0, 2, 3)), torch.tensor([-1.0, 1.0, -1.0]))


def test_sides_in_between_are_padded_by_the_edge_and_cropped(engine: SegmenterEngine) -> None:
    pictures = torch.randn(2, 3, 40, 64, generator=torch.Generator().manual_seed(0))
    found = predict(engine.network, pictures)
    assert found.shape == (2, NUM_CLASSES, 40, 64)
    padded = torch.cat([pictures, pictures[:, :, -1:].expand(-1, -1, 24, -1)], dim=2)
    torch.testing.assert_close(found, predict(engine.network, padded)[:, :, :40])


def test_a_segmenter_has_the_classes_of_its_config(tmp_path: Path) -> None:
    config = SegmenterConfig(
        image_size=64, training_data="noise", encoder="lite0", decoder_width=8, classes=CLASS_NAMES[:13]
    )
    save_checkpoint(tmp_path / "segmenter", config, Segmenter(config).state_dict(), {}, "# A test\n")
    engine = SegmenterEngine.load(tmp_path / "segmenter", "cpu")
    assert engine.probabilities(some_photos()[0]).shape == (13, 64, 64)
    assert engine.describe()["classes"] == list(CLASS_NAMES[:13])


def test_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "segmenter"
    other.mkdir()
    config = (folder / "config.json").read_text().replace('"segmenter"', '"landscape"')
    (other / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match="kind"):
        SegmenterEngine.load(other, "cpu")
    assert engine_describes(SegmenterEngine.load(folder, "cpu"))


def engine_describes(engine: SegmenterEngine) -> bool:
    said = engine.describe()
    return bool(
        said["image_size"] == 64
        and said["map_size"] == 256
        and said["metrics"] == {"mean_iou": 0.1}
        and said["parameters"] > 0
    )
