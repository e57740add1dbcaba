"""A small folder in SIFT Flow's layout, with its manifest where the training job looks for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.checkpoint import save_checkpoint
from models.landscape.palette import SIFTFLOW
from models.segmenter.config import SegmenterConfig
from models.segmenter.network import Segmenter
from training.photos import manifest

CLASSES = ("unlabelled", "sky", "mountain", "sea", "tree", "car")
COLOURS = np.array([[128] * 3, [120, 160, 220], [125, 100, 85], [35, 60, 130], [30, 95, 40], [200, 40, 40]])
SCENES = ("coast", "forest", "mountain", "opencountry", "street")


@dataclass(frozen=True)
class SmallSiftFlow:
    folder: Path
    manifests: Path


def make_siftflow(root: Path, num_photos: int, side: int = 64) -> SmallSiftFlow:
    """Sky over land or sea, with a horizon, grain and shades that differ by photo."""
    folder, manifests = root / "siftflow", root / "manifests"
    for path in (folder / "images", folder / "labels", manifests):
        path.mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(CLASSES)))
    draw = np.random.default_rng(0)
    for number in range(num_photos):
        name = f"{SCENES[number % len(SCENES)]}_{number}"
        labels = np.full((side, side), 1, dtype=np.uint8)
        labels[int(draw.integers(side // 4, 3 * side // 4)) :] = 2 + number % 3
        labels[:2] = 0
        colours = COLOURS + draw.integers(-30, 31, size=COLOURS.shape)
        photo = np.clip(colours[labels] + draw.normal(0, 12, (side, side, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(folder / "images" / f"{name}.jpg", quality=95)
        Image.fromarray(labels).save(folder / "labels" / f"{name}.png")
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    manifest.write_manifest(manifests / f"manifest-{SIFTFLOW}.txt.gz", folder, files)
    return SmallSiftFlow(folder, manifests)


@pytest.fixture(scope="session")
def small_siftflow(tmp_path_factory: pytest.TempPathFactory) -> SmallSiftFlow:
    return make_siftflow(tmp_path_factory.mktemp("data"), num_photos=40)


@pytest.fixture
def siftflow(small_siftflow: SmallSiftFlow, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small folder, with its manifest in force in this process."""
    monkeypatch.setattr(manifest, "MANIFESTS", small_siftflow.manifests)
    return small_siftflow.folder


@pytest.fixture
def small_lite2(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which figures are measured, but are not what is tested: pictures of a twelfth the area."""
    monkeypatch.setattr("training.evaluation.lite2.INPUT", 64)


@pytest.fixture
def small_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which photos are labelled, but not looked at: kept at a quarter of the area."""
    for module in ("sources", "dataset"):
        monkeypatch.setattr(f"training.landscape.{module}.SIDE", 128)


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter that is sure of a class by chance."""
    torch.manual_seed(3)
    network = Segmenter(
        SegmenterConfig(image_size=256, training_data="none", encoder="lite0", decoder_width=8)
    )
    with torch.no_grad():
        network.classes.weight.mul_(100)
    folder = tmp_path_factory.mktemp("segmenter") / "checkpoint"
    save_checkpoint(folder, network.config, network.state_dict(), {}, "A test's.\n", {})
    return folder
