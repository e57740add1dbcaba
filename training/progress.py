"""How far a run is: a bar on a terminal, plain lines where the output is piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import NoReturn

from tqdm import tqdm

SECONDS_BETWEEN_PLAIN_LINES = 10.0


class Progress:
    """A bar on a terminal, plain lines where the output is piped."""

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self._bar: tqdm[NoReturn] | None = None  # from the first step on: what comes before may have its own
        self._first: tuple[int, float] | None = None
        self._last_line = 0.0
        self._has_bar = sys.stderr.isatty()

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._has_bar:
            if self._bar is None:
                self._bar = tqdm(total=self._num_steps, unit="step", dynamic_ncols=True)
            self._bar.n = step
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in metrics.items()})
            return
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
        if now - self._last_line < SECONDS_BETWEEN_PLAIN_LINES and step < self._num_steps:
            return
        self._last_line = now
        rate = (step - self._first[0]) / max(now - self._first[1], 1e-9)
        left = f"{(self._num_steps - step) / rate / 60:.1f} min left" if rate > 0 else "time left unknown"
        named = "".join(f" {name} {value:.4f}" for name, value in metrics.items())
        print(f"step {step}/{self._num_steps}{named} {rate:.2f} steps/s {left}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
