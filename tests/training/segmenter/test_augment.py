"""Segmenter augmentation: labels stay on their pixels, the outside is unlabelled, draws repeat."""

import torch

from models.landscape.palette import UNLABELLED
from training.segmenter.augment import augment, crop, mix_rectangles
from training.segmenter.settings import SegmenterSettings

SETTINGS = SegmenterSettings(image_size=32)


def blocks() -> tuple[torch.Tensor, torch.Tensor]:
    """Four photos of coarse blocks, each class with a grey of its own."""
    labels = torch.randint(0, 13, (4, 5, 5), generator=torch.Generator().manual_seed(0))
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return ((labels + 1) / 14).unsqueeze(1).expand(4, 3, 40, 40), labels


def test_labels_stay_on_their_pixels():
    photos, labels = blocks()
    cropped, cropped_labels = crop(photos, labels, SETTINGS, torch.Generator().manual_seed(1))
    assert cropped.shape == (4, 3, 32, 32)
    inside = cropped_labels != UNLABELLED
    error = (cropped[:, 0] - (cropped_labels + 1) / 14).abs()[inside]
    assert (error < 0.01).float().mean() > 0.6  # the rest lies between two blocks
    assert inside.float().mean() > 0.7


def test_the_outside_is_grey_and_unlabelled():
    photos, labels = blocks()
    far = SETTINGS.model_copy(update={"min_zoom": 0.3, "max_zoom": 0.31})
    cropped, cropped_labels = crop(torch.ones_like(photos), labels, far, torch.Generator().manual_seed(1))
    corner = cropped_labels == UNLABELLED
    assert corner.float().mean() > 0.5
    assert (cropped[:, 0][corner] == 0.5).float().mean() > 0.9


def test_rectangles_bring_their_labels():
    labels = torch.arange(4).view(4, 1, 1).expand(4, 16, 16)
    pictures = (labels.float() / 4).unsqueeze(1).expand(4, 3, 16, 16)
    mixed, mixed_labels = mix_rectangles(pictures, labels, torch.Generator().manual_seed(0))
    assert torch.equal(mixed[:, 2], mixed_labels / 4)
    assert [sorted(mixed_labels[row].unique().tolist()) for row in range(4)] == [
        [0, 3],
        [0, 1],
        [1, 2],
        [2, 3],
    ]


def test_same_draws_same_examples():
    photos, labels = blocks()
    first = augment(photos, labels, SETTINGS, torch.Generator().manual_seed(5))
    again = augment(photos, labels, SETTINGS, torch.Generator().manual_seed(5))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert first[0].abs().max() <= 1
