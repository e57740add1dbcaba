"""Presets are valid, and their schedules depend on the step alone."""

import pytest
from pydantic import ValidationError

from training.landscape.settings import PRESETS, LandscapeSettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name: str):
    preset = PRESETS[name]
    assert LandscapeSettings.model_validate(preset.model_dump()) == preset
    # The discriminator halves its folded input once a width but the first.
    assert min(preset.image_size, preset.discriminator_view) // preset.discriminator_patch >= 2 ** (
        len(preset.discriminator_widths) - 1
    )


def test_the_discriminator_must_see_whole_pictures():
    values = PRESETS["cpu-128"].model_dump()
    with pytest.raises(ValidationError, match="times a power of two"):
        LandscapeSettings.model_validate(values | {"discriminator_view": 48})
    assert LandscapeSettings.model_validate(values | {"discriminator_view": 256}).discriminator_view == 256


def test_blur_weight_falls_to_its_floor():
    settings = PRESETS["cpu-128"].model_copy(
        update={"steps": 100, "blur_weight": 4.0, "blur_until": 0.5, "blur_floor": 0.25}
    )
    assert [settings.blur_weight_at(step) for step in (0, 25, 50, 99)] == [4.0, 2.5, 1.0, 1.0]
