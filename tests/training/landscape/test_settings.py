"""Presets are valid, and their schedules depend on the step alone."""

import pytest
from pydantic import ValidationError

from training.landscape.settings import PRESETS, LandscapeSettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name: str) -> None:
    preset = PRESETS[name]
    assert LandscapeSettings.model_validate(preset.model_dump()) == preset
    # The label discriminator halves its folded input once a width but the first.
    assert min(preset.image_size, preset.discriminator_view) // preset.discriminator_patch >= 2 ** (
        len(preset.discriminator_widths) - 1
    )


def test_the_discriminator_must_see_whole_pictures() -> None:
    values = PRESETS["cpu"].model_dump()
    with pytest.raises(ValidationError, match="no multiple of discriminator_view"):
        LandscapeSettings.model_validate(values | {"discriminator_view": 48})
    assert LandscapeSettings.model_validate(values | {"discriminator_view": 256}).discriminator_view == 256


def test_a_batch_is_a_multiple_of_its_kinds() -> None:
    with pytest.raises(ValidationError, match="multiple of 4"):
        LandscapeSettings.model_validate(PRESETS["cpu"].model_dump() | {"batch": 6})


def test_rates_cool_down_at_the_end_and_losses_fall_to_their_floor() -> None:
    settings = PRESETS["cpu"].model_copy(
        update={"steps": 100, "cooldown": 0.2, "falling_until": 0.5, "falling_floor": 0.2}
    )
    assert [round(settings.rate_share_at(step), 3) for step in (0, 79, 90, 100)] == [1, 1, 0.5, 0]
    warmed = settings.model_copy(update={"warm_up": 4})
    assert [warmed.rate_share_at(step) for step in (0, 3, 4, 90)] == [0.2, 0.8, 1, 0.5]
    assert [round(settings.falling_share_at(step), 3) for step in (0, 25, 50, 99)] == [1, 0.6, 0.2, 0.2]
