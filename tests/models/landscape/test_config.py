"""Landscape and segmenter configs refuse what doesn't fit, and cost the HTTP process no torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.checkpoint import CheckpointError, read_config
from models.landscape.config import LandscapeConfig
from models.landscape.palette import CLASS_NAMES, NUM_BROAD_CLASSES
from models.segmenter.config import SegmenterConfig


def landscape(**changes: object) -> LandscapeConfig:
    return LandscapeConfig.model_validate(
        {"image_size": 32, "training_data": "x", "widths": (8, 8, 8), "num_styles": 5} | changes
    )


def test_widths_must_end_at_the_image_size() -> None:
    assert landscape().has_class_seeds
    assert not landscape(num_styles=1).has_class_seeds
    with pytest.raises(ValidationError, match="do not end at 64"):
        landscape(image_size=64)
    with pytest.raises(ValidationError, match="power of two"):
        landscape(image_size=48)


def test_another_palette_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="another palette"):
        landscape(classes=tuple(reversed(CLASS_NAMES)))
    with pytest.raises(ValidationError, match="another palette"):
        landscape(classes=CLASS_NAMES[: NUM_BROAD_CLASSES - 1])


@pytest.mark.parametrize("count", range(NUM_BROAD_CLASSES, len(CLASS_NAMES) + 1))
def test_a_checkpoint_from_before_classes_were_split_off_is_taken(count: int) -> None:
    assert landscape(classes=CLASS_NAMES[:count]).classes == CLASS_NAMES[:count]


def test_a_segmenter_of_the_earlier_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    earlier = {"kind": "segmenter", "training_data": "x", "image_size": 128, "decoder_width": 64}
    earlier |= {"classes": CLASS_NAMES[:13], "widths": [64, 128], "depths": [2, 2]}
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    with pytest.raises(CheckpointError, match="of an earlier kind") as refusal:
        read_config(tmp_path, SegmenterConfig)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_needs_no_torch() -> None:
    code = "import sys, models.landscape.config, models.landscape.palette; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
