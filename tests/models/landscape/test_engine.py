"""The engine: checked loading, order, and the same bytes alone or in any batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointError, save_checkpoint
from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = LandscapeConfig(image_size=32, training_data="noise", widths=(16, 16, 8), num_styles=6)
    generator = Generator(config)
    torch.nn.init.normal_(generator.styles)
    made = tmp_path_factory.mktemp("checkpoints") / "landscape"
    save_checkpoint(made, config, generator.state_dict(), {"figure": 1.5}, "# A test\n")
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> LandscapeEngine:
    return LandscapeEngine.load(folder, "cpu")


def some_requests(count: int) -> list[LandscapeRequest]:
    draw = np.random.default_rng(1)
    maps = draw.integers(NUM_CLASSES, size=(count, 32, 32), dtype=np.uint8)
    return [LandscapeRequest(label_map=labels, seed=seed) for seed, labels in enumerate(maps)]


def test_same_bytes_alone_and_in_any_batch(engine: LandscapeEngine) -> None:
    requests = some_requests(5)
    together = engine.forward(requests)
    assert [picture.shape for picture in together] == [(32, 32, 3)] * 5
    assert together[0].dtype == np.uint8
    for request, picture in zip(requests, together, strict=True):
        assert np.array_equal(engine.forward([request])[0], picture)
    for request, picture in zip(reversed(requests), engine.forward(requests[::-1]), strict=True):
        assert np.array_equal(engine.forward([request])[0], picture)
    assert engine.forward([]) == []


def test_seeds_and_class_seeds_change_the_picture(engine: LandscapeEngine) -> None:
    labels = np.zeros((32, 32), dtype=np.uint8)
    plain, other, restyled, same = engine.forward(
        [
            LandscapeRequest(labels, seed=1),
            LandscapeRequest(labels, seed=2),
            LandscapeRequest(labels, seed=1, class_seeds={0: 2}),
            LandscapeRequest(labels, seed=1, class_seeds={5: 2}),  # a class that is not drawn
        ]
    )
    assert not np.array_equal(plain, other)
    assert not np.array_equal(plain, restyled)
    assert np.array_equal(plain, same)


def test_describe(engine: LandscapeEngine) -> None:
    said = engine.describe()
    assert said["metrics"] == {"figure": 1.5}
    assert said["training_data"] == "noise"
    assert said["class_seeds"] is True
    assert said["image_size"] == engine.image_size == 32


def test_a_truncated_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "landscape"
    broken.mkdir()
    for path in folder.iterdir():
        content = path.read_bytes()
        (broken / path.name).write_bytes(content[:-10] if path.suffix == ".safetensors" else content)
    with pytest.raises(CheckpointError, match="truncated"):
        LandscapeEngine.load(broken, "cpu")
