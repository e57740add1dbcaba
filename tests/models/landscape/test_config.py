"""Landscape and segmenter configs refuse what doesn't fit, and cost the HTTP process no torch."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from models.landscape.config import LandscapeConfig
from models.landscape.palette import CLASS_NAMES
from models.segmenter.config import SegmenterConfig


def landscape(**changes: object) -> LandscapeConfig:
    return LandscapeConfig.model_validate(
        {"image_size": 32, "training_data": "x", "widths": (8, 8, 8), "num_styles": 5} | changes
    )


def test_widths_must_end_at_the_image_size():
    assert landscape().has_class_seeds
    assert not landscape(num_styles=1).has_class_seeds
    with pytest.raises(ValidationError, match="do not end at 64"):
        landscape(image_size=64)
    with pytest.raises(ValidationError, match="power of two"):
        landscape(image_size=48)


def test_another_palette_is_refused_by_name():
    with pytest.raises(ValidationError, match="another palette"):
        landscape(classes=tuple(reversed(CLASS_NAMES)))


def test_segmenter_needs_a_depth_per_width():
    with pytest.raises(ValidationError, match="2 widths but 1 depths"):
        SegmenterConfig(image_size=64, training_data="x", widths=(8, 8), depths=(1,))


def test_needs_no_torch():
    code = "import sys, models.landscape.config, models.landscape.palette; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
