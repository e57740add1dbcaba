"""The picture of how a run goes, ``<run>/curve.png``, kept up to date while it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from training.files import write_atomically
from training.log import read_log
from training.plots import draw_course

CURVE_FILE = "curve.png"
SECONDS_BETWEEN = 10.0  # drawing takes a part of one
FEWEST_LINES = 2  # of the log: of less there is nothing to see


class Course:
    """Draws a run's log: what is lost and what it is scored by, by their names in the log."""

    def __init__(self, folder: Path, losses: Sequence[str], scores: Sequence[str]) -> None:
        self._folder, self._losses, self._scores = folder, losses, scores
        self._last = time.monotonic()

    def draw(self, at_once: bool) -> None:
        """Write the picture anew, unless there was one a moment ago; the old one stays if it can't be."""
        if not at_once and time.monotonic() - self._last < SECONDS_BETWEEN:
            return
        log = read_log(self._folder)
        if len(log) >= FEWEST_LINES:
            write_atomically(self._folder / CURVE_FILE, draw_course(log, self._losses, self._scores))
        self._last = time.monotonic()
