"""What the trainer draws its batches from, and what it asks of them."""

import numpy as np
import pytest
import torch

from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.photos.targets import CLOUD, SKY, UNTOLD, allowed_table
from training.segmenter.trainer import row_chances, target_loss

NAMES = ("coast_1.jpg", "street_1.jpg", "forest_2.jpg", "street_3.jpg", "highway_4.jpg")


def test_natural_scenes_get_their_share():
    chances = row_chances(NAMES, 0.8)
    assert chances is not None
    assert chances == pytest.approx([0.4, 0.2 / 3, 0.4, 0.2 / 3, 0.2 / 3])
    alone = row_chances(NAMES[:1], 0.8)
    assert alone is not None
    assert np.array_equal(alone, [1.0])
    assert row_chances(NAMES, None) is None


def test_the_loss_is_met_by_what_a_target_allows():
    allowed, weights = allowed_table(), torch.ones(NUM_CLASSES)

    def loss(said: int, target: int) -> float:
        logits = torch.full((1, NUM_CLASSES, 2, 2), -10.0)
        logits[:, said] = 10.0
        targets = torch.full((1, 2, 2), target)
        targets[0, 0, 0] = UNLABELLED  # counts for nothing
        return float(target_loss(logits, targets, allowed, weights, 0.0))

    assert loss(SKY, SKY) < 1e-3
    assert loss(SKY, UNTOLD) < 1e-3
    assert loss(CLOUD, UNTOLD) < 1e-3
    assert loss(9, UNTOLD) > 5
    assert loss(9, UNLABELLED) == 0


def test_without_sets_it_is_weighted_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, NUM_CLASSES, 3, 3), torch.randint(NUM_CLASSES, (2, 3, 3))
    weights = torch.rand(NUM_CLASSES) + 0.5
    ours = target_loss(logits, targets, allowed_table(), weights, 0.0)
    assert torch.allclose(ours, torch.nn.functional.cross_entropy(logits, targets, weights), atol=1e-5)
