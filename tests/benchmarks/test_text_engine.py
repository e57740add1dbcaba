"""The closed loop on a machine that is slow, or seems so."""

from __future__ import annotations

import itertools
import math

from benchmarks.text_engine import run_closed_loop
from tests.models.gpt.small import make_engine


def test_a_time_in_which_no_text_began_is_measured_all_the_same() -> None:
    ticks = itertools.count()
    rate = run_closed_loop(make_engine(1, draws_on_device=True), 1, 0.5, lambda: float(next(ticks)))
    assert rate.step_seconds == 1
    assert math.isnan(rate.first_seconds)
