"""The trunk is the published network: same features from the same weights, at each variant's own size."""

from __future__ import annotations

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from models.efficientnet_lite import SCALES, Variant
from training.pretrained import find_weights, load_trunk

SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}


@pytest.mark.parametrize("variant", SCALES)
def test_features_are_those_of_the_published_network(variant: Variant) -> None:
    theirs = EfficientNet.from_name(f"efficientnet-{variant}").eval()
    theirs.load_state_dict(torch.load(find_weights(variant), weights_only=True))
    torch.manual_seed(0)
    pictures = torch.rand(1, 3, SIZES[variant], SIZES[variant]) * 2 - 1
    with torch.inference_mode():
        features = load_trunk(variant).eval()(pictures)
        expected = theirs.extract_features(pictures)
        head = torch.nn.functional.relu6(theirs._bn1(theirs._conv_head(features[-1])))
    assert torch.equal(head, expected)
    assert [part.shape[1] for part in features] == list(load_trunk(variant).widths)
