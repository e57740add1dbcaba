"""The segmenter and its engine: shapes, any photo size, order, the same bytes whatever the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointError, save_checkpoint
from models.landscape.palette import NUM_CLASSES
from models.segmenter.config import SegmenterConfig
from models.segmenter.engine import SegmenterEngine, predict, prepare
from models.segmenter.network import Segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = SegmenterConfig(
        image_size=64, training_data="noise", widths=(16, 24, 32), depths=(1, 1, 1), decoder_width=16
    )
    made = tmp_path_factory.mktemp("checkpoints") / "segmenter"
    save_checkpoint(made, config, Segmenter(config).state_dict(), {"mean_iou": 0.1}, "# A test\n")
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> SegmenterEngine:
    return SegmenterEngine.load(folder, "cpu")


def some_photos() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        draw.integers(256, size=size, dtype=np.uint8) for size in ((64, 64, 3), (30, 200, 3), (300, 16, 3))
    ]


def test_any_size_gives_a_square_map(engine: SegmenterEngine):
    photos = some_photos()
    maps = engine.forward(photos)
    assert [labels.shape for labels in maps] == [(64, 64)] * 3
    assert all(labels.dtype == np.uint8 and labels.max() < NUM_CLASSES for labels in maps)
    for photo, labels in zip(photos, maps, strict=True):
        assert np.array_equal(engine.forward([photo])[0], labels)
    assert engine.forward([]) == []


def test_probabilities_sum_to_one_and_ignore_mirroring(engine: SegmenterEngine):
    photo = some_photos()[0]
    straight = engine.probabilities(photo)
    torch.testing.assert_close(straight.sum(dim=0), torch.ones(64, 64))
    mirrored = engine.probabilities(photo[:, ::-1])
    torch.testing.assert_close(mirrored.flip(2), straight, atol=1e-4, rtol=0)


def test_prepare_scales_to_the_networks_range():
    photo = np.zeros((10, 20, 3), dtype=np.uint8)
    photo[..., 1] = 255
    picture = prepare(photo, 16)
    assert picture.shape == (1, 3, 16, 16)
    torch.testing.assert_close(picture.mean(dim=(0, 2, 3)), torch.tensor([-1.0, 1.0, -1.0]))


def test_predict_enlarges_to_the_picture(engine: SegmenterEngine):
    assert predict(engine._network, torch.zeros(2, 3, 64, 64)).shape == (2, NUM_CLASSES, 64, 64)


def test_another_kind_is_refused(folder: Path, tmp_path: Path):
    other = tmp_path / "segmenter"
    other.mkdir()
    config = (folder / "config.json").read_text().replace('"segmenter"', '"landscape"')
    (other / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match="kind"):
        SegmenterEngine.load(other, "cpu")
    assert engine_describes(SegmenterEngine.load(folder, "cpu"))


def engine_describes(engine: SegmenterEngine) -> bool:
    said = engine.describe()
    return said["image_size"] == 64 and said["metrics"] == {"mean_iou": 0.1} and said["parameters"] > 0
