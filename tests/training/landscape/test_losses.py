"""Losses fall when they should, and holes count for nothing."""

import torch

from models.landscape.discriminator import FAKE
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from training.landscape.losses import LabelLoss, fake_loss, shrink_targets, target_weights
from training.photos.targets import CLOUD, SKY, UNTOLD, allowed_table

label_loss = LabelLoss(torch.device("cpu"))


def logits_for(labels: torch.Tensor) -> torch.Tensor:
    """Logits that are sure of ``labels`` (B, h, w)."""
    return 12 * torch.nn.functional.one_hot(labels, NUM_CLASSES + 1).permute(0, 3, 1, 2).float()


def test_label_loss_wants_the_label_and_ignores_holes():
    labels = torch.zeros((1, 8, 8), dtype=torch.long)
    labels[:, 4:] = 2
    right = label_loss(logits_for(labels), labels)
    fake = label_loss(logits_for(torch.full_like(labels, FAKE)), labels)
    assert right < 0.01 < 5 < fake
    holes = labels.clone()
    holes[:, :2] = UNLABELLED
    wrong_in_holes = labels.clone()
    wrong_in_holes[:, :2] = 7
    assert label_loss(logits_for(wrong_in_holes), holes) < 0.01
    assert label_loss(logits_for(labels), torch.full_like(labels, UNLABELLED)) == 0


def test_a_set_is_met_by_any_of_its_classes_and_by_no_other():
    either = torch.full((1, 8, 8), UNTOLD)
    for number, wants in ((SKY, True), (CLOUD, True), (CLASS_NAMES.index("sea"), False), (FAKE, False)):
        loss = label_loss(logits_for(torch.full((1, 8, 8), number)), either)
        assert (loss < 0.01) == wants


def test_fake_loss_wants_fake_and_ignores_holes():
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
    weights = target_weights(labels, allowed_table())
    assert weights[0] < weights[5] < weights[3] <= 6
    assert weights[1] == weights[UNLABELLED] == 0


def test_targets_shrink_to_cell_middles():
    labels = torch.arange(64).view(1, 8, 8)
    assert torch.equal(shrink_targets(labels, 8), labels)
    assert shrink_targets(labels, 2)[0].tolist() == [[18, 22], [50, 54]]
