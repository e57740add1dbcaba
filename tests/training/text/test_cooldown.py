"""The rate's decay from wherever a run stands."""

from __future__ import annotations

from itertools import pairwise

import pytest

from training.text.cooldown import decay_now
from training.text.optimiser import rate_factor
from training.text.settings import TextSettings


def rates(settings: TextSettings, first: int) -> list[float]:
    return [settings.learning_rate * rate_factor(settings, step) for step in range(first, settings.steps + 1)]


@pytest.mark.parametrize("schedule", ["wsd", "cosine"])
@pytest.mark.parametrize("step", [5, 30, 80])
def test_the_rate_goes_on_from_where_it_is_and_falls_in_a_line(schedule: str, step: int) -> None:
    kept = TextSettings.model_validate(
        {"steps": 100, "warmup_steps": 10, "decay_fraction": 0.4, "final_fraction": 0.1, "schedule": schedule}
    )
    factor = rate_factor(kept, step)
    there = rates(decay_now(kept, step, factor, 20), step)
    assert len(there) == 21
    assert there[0] == pytest.approx(kept.learning_rate * factor)
    assert there[-1] == pytest.approx(kept.learning_rate * 0.1)
    falls = [earlier - later for earlier, later in pairwise(there)]
    assert falls == pytest.approx([falls[0]] * 20)


def test_the_decay_is_a_share_of_all_steps_unless_said() -> None:
    assert decay_now(TextSettings(steps=900, decay_fraction=0.2), 80, 1.0).steps == 100
    assert decay_now(TextSettings(steps=900, decay_fraction=1), 80, 0.9).steps == 900
