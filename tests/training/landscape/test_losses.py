"""Losses fall when they should, and holes count for nothing."""

import torch

from models.landscape.discriminator import FAKE
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.losses import class_weights, fake_loss, label_loss, mix_by_class, shrink_targets


def logits_for(labels: torch.Tensor) -> torch.Tensor:
    """Logits that are sure of ``labels`` (B, h, w)."""
    return 10 * torch.nn.functional.one_hot(labels, NUM_CLASSES + 1).permute(0, 3, 1, 2).float()


def test_label_loss_wants_the_label_and_ignores_holes():
    labels = torch.zeros((1, 8, 8), dtype=torch.long)
    labels[:, 4:] = 2
    right = label_loss(logits_for(labels), labels)
    painted = label_loss(logits_for(torch.full_like(labels, FAKE)), labels)
    assert right < 0.01 < 5 < painted
    holes = labels.clone()
    holes[:, :2] = UNLABELLED
    wrong_in_holes = labels.clone()
    wrong_in_holes[:, :2] = 7
    assert label_loss(logits_for(wrong_in_holes), holes) < 0.01
    assert label_loss(logits_for(labels), torch.full_like(labels, UNLABELLED)) == 0


def test_painted_loss_wants_painted_and_ignores_holes():
    labels = torch.zeros((1, 8, 8), dtype=torch.long)
    said = torch.full_like(labels, FAKE)
    assert fake_loss(logits_for(said), labels) < 0.01
    assert fake_loss(logits_for(labels), labels) > 5
    labels[:, 4:], said[:, 4:] = UNLABELLED, 3
    assert fake_loss(logits_for(said), labels) < 0.01


def test_rare_classes_weigh_more_but_not_without_limit():
    labels = torch.zeros((1, 100, 100), dtype=torch.long)
    labels[0, 0, :10] = 3
    labels[0, :30] = torch.where(labels[0, :30] == 3, 3, 5)
    weights = class_weights(labels)
    assert weights[0] < weights[5] < weights[3] <= 6
    assert weights[1] == 0


def test_targets_shrink_to_cell_middles():
    labels = torch.arange(64).view(1, 8, 8)
    assert shrink_targets(labels, 8) is not None
    assert torch.equal(shrink_targets(labels, 8), labels)
    assert shrink_targets(labels, 2)[0].tolist() == [[18, 22], [50, 54]]


def test_mixing_takes_whole_classes():
    labels = torch.arange(16).repeat_interleave(16).view(1, 16, 16) % 13
    mask = mix_by_class(labels, torch.Generator().manual_seed(0))
    chosen = {int(number): set(mask[0, 0][labels[0] == number].tolist()) for number in labels.unique()}
    assert all(len(values) == 1 for values in chosen.values())
    assert len({value for values in chosen.values() for value in values}) == 2
