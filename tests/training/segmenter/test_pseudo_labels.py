"""Pseudo-labels: only sure pixels, only landscapes, and a reason for each photo that is left out."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from training.segmenter.pseudo_labels import label_folder, label_photo

GREY = np.full((20, 20, 3), 90, dtype=np.uint8)


def sure_of(labels: np.ndarray, confidence: float = 0.9) -> torch.Tensor:
    probabilities = torch.full((NUM_CLASSES, 20, 20), (1 - confidence) / (NUM_CLASSES - 1))
    return probabilities.scatter(0, torch.from_numpy(labels).long()[None], confidence)


def scene(lower: str) -> np.ndarray:
    labels = np.zeros((20, 20), dtype=np.uint8)
    labels[10:] = CLASS_NAMES.index(lower)
    return labels


def test_sure_pixels_are_kept_and_unsure_ones_are_holes():
    probabilities = sure_of(scene("sea"))
    probabilities[:, :2] = 1 / NUM_CLASSES
    labels, outcome = label_photo(GREY, probabilities)
    assert outcome == "kept"
    assert labels is not None
    assert (labels[:2] == UNLABELLED).all()
    assert np.array_equal(labels[2:], scene("sea")[2:])


def test_what_is_left_out_and_why():
    assert label_photo(GREY, sure_of(scene("sea"), confidence=0.3)) == (None, "unsure")
    assert label_photo(GREY, sure_of(scene("building"))) == (None, "built")
    assert label_photo(GREY, sure_of(scene("sky"))) == (None, "one class")


def test_bright_mountains_become_snow():
    labels, _ = label_photo(np.full((20, 20, 3), 245, dtype=np.uint8), sure_of(scene("mountain")))
    assert labels is not None
    assert (labels[14:] == CLASS_NAMES.index("snow")).all()
    assert (labels[:10] == CLASS_NAMES.index("sky")).all()


class Unsure:
    """A segmenter that is sure of a scene the first time only."""

    image_size = 20
    confidence = 0.9

    def probabilities(self, photo: np.ndarray) -> torch.Tensor:
        found = sure_of(scene("sea"), self.confidence)
        self.confidence = 0.3
        return found


def test_a_second_run_leaves_no_map_of_the_first(tmp_path: Path):
    Image.fromarray(GREY).save(tmp_path / "photo.jpg")
    segmenter, out = Unsure(), tmp_path / "labels"
    assert label_folder(tmp_path, segmenter, out) == {"kept": 1}
    assert (out / "photo.png").exists()
    assert label_folder(tmp_path, segmenter, out) == {"unsure": 1}
    assert not (out / "photo.png").exists()
