"""Discriminators on pretrained features: folding changes nothing, gradients pass, classes count."""

import torch

from models.efficientnet_lite import EfficientNetLite
from models.landscape.palette import NUM_CLASSES, UNLABELLED
from training.landscape.feature_discriminator import (
    FeatureDiscriminator,
    FrozenFeatures,
    class_shares,
    discriminator_hinge,
    feature_loss,
    generator_hinge,
)
from training.photos.targets import SKY, UNTOLD


def make_trunk() -> EfficientNetLite:
    """A random trunk whose normalisations have seen something."""
    torch.manual_seed(0)
    trunk = EfficientNetLite("lite0").train()
    for _ in range(3):
        trunk(torch.randn(2, 3, 64, 64))
    return trunk.eval()


def test_folded_features_are_the_trunks():
    trunk = make_trunk()
    pictures = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        ours, theirs = FrozenFeatures(trunk)(pictures), trunk(pictures)
    assert [tuple(part.shape[2:]) for part in ours] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-4 * float(other.abs().max()))


def test_verdicts_depend_on_picture_and_map_and_only_heads_learn():
    features = FrozenFeatures(make_trunk())
    discriminator = FeatureDiscriminator(features.widths, mixed=8, width=8).eval()
    pictures = torch.randn(2, 3, 64, 64, requires_grad=True)
    targets = torch.zeros((2, 64, 64), dtype=torch.long)
    verdicts = discriminator(features(pictures), class_shares(targets))
    generator_hinge(verdicts).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in features.parameters())
    other = discriminator(features(pictures), class_shares(torch.full_like(targets, 9)))
    assert all(not torch.allclose(one, two) for one, two in zip(verdicts, other, strict=True))
    learnt = {id(weight) for weight in discriminator.learnt()}
    fixed = [weight for weight in discriminator.parameters() if id(weight) not in learnt]
    assert fixed
    assert not any(weight.requires_grad for weight in fixed)


def test_shares_of_a_cell_know_holes_and_unsure_sky():
    targets = torch.zeros((1, 8, 8), dtype=torch.long)
    targets[0, :4, :4], targets[0, :4, 4:], targets[0, 4:, :2] = UNLABELLED, UNTOLD, 9
    shares = class_shares(targets)
    assert shares.shape == (1, NUM_CLASSES, 2, 2)
    assert shares[0, :, 0, 0].sum() == 0
    assert shares[0, SKY, 0, 1] == 1
    assert shares[0, 9, 1, 0] == shares[0, SKY, 1, 0] == 0.5


def test_hinge_and_feature_loss():
    sure = [torch.tensor([2.0, -2.0])]  # real judged real, fake judged fake
    assert discriminator_hinge(sure) == 0
    assert discriminator_hinge([-sure[0]]) == 6
    assert generator_hinge([torch.tensor([3.0])]) == -3
    photo = [torch.ones(1, 2, 2, 2)]
    assert feature_loss(photo, photo) == 0
    assert feature_loss([2 * photo[0]], photo) == 1
