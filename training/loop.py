"""The loop of every training job: steps, and between them log lines, evaluations, states and snapshots.

A step is a pure function of its number and the state: a run that was stopped and goes on ends with the same
weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from torch import Tensor

from training.course import Course
from training.errors import TrainingError
from training.ranks import ALONE, Ranks
from training.run import Run
from training.stopping import Stop, save_on_signals

LOG_EVERY = 10  # steps

Losses = Mapping[str, Tensor | int]  # scalars; what is no tensor is a position, not a loss


@dataclass(frozen=True)
class Loop:
    """What a job does, and when. The end of a time box saves and snapshots, the last step does all.

    Attributes:
        take_step: takes optimiser step number n, from 0; its losses by name, not yet waited for.
        state: everything that the next step depends on, saved every ``save_every`` steps.
        shown: the losses worth seeing while it runs; `Course` draws them, too.
        scores: what else in the log is worth drawing.
        evaluate: scores that join the log every ``evaluate_every`` steps, and at the run's last one.
        snapshot: called after each save of the state, to write a checkpoint into the run's folder.
    """

    run: Run
    take_step: Callable[[int], Losses]
    state: Callable[[], dict[str, Any]]
    save_every: int
    shown: Sequence[str] = ("loss",)
    scores: Sequence[str] = ()
    evaluate: Callable[[], dict[str, float]] | None = None
    evaluate_every: int = 1
    snapshot: Callable[[], None] | None = None
    ranks: Ranks = ALONE

    def train(self) -> bool:
        """Go on from ``run.step``; False when the time box or a signal ended it before the last step.

        However short the box, one step is taken, so that a run in many boxes gets somewhere.

        Raises:
            TrainingError: a loss is no longer a number.
        """
        with save_on_signals() as stop:
            is_done = self._train(stop)
        self.run.stopped_by = None if is_done else stop.number
        return is_done

    def _train(self, stop: Stop) -> bool:
        run, recent, shown = self.run, list[Losses](), dict[str, float]()
        course = Course(run.folder, self.shown, self.scores)
        if run.step >= run.num_steps and self.snapshot is not None:
            self.snapshot()  # was killed, perhaps, before it could
        while run.step < run.num_steps:
            with run.timed():
                recent.append(self.take_step(run.step))
                run.step += 1
                is_last, is_time_up = (
                    run.step == run.num_steps,
                    self.ranks.agree(run.is_time_up or stop.number is not None),
                )
                is_saving = is_last or is_time_up or run.step % self.save_every == 0
                is_evaluating = self.evaluate is not None and (is_last or run.step % self.evaluate_every == 0)
                is_logging = is_last or is_evaluating or run.step % LOG_EVERY == 0
                if is_logging or is_saving:  # waits for the device, so that the clock is right
                    run.unlogged += [self._read(losses) for losses in recent]
                    recent = []
            if is_logging:
                shown = self._log(is_evaluating)
            run.show(**shown)
            if is_saving:
                run.save_state(self.state())
                if self.snapshot is not None:
                    self.snapshot()
                if self.ranks.is_main:
                    course.draw(at_once=is_last or is_time_up)
            if is_time_up and not is_last:
                why = "time is up" if stop.number is None else "stopped"
                said = f"{why} at step {run.step} of {run.num_steps}"
                run.say(f"{said}; --resume goes on, --finish ends it here")
                return False
        return True

    def _read(self, losses: Losses) -> dict[str, float]:
        """A step's losses as numbers; no state is saved after one that is none."""
        values = {
            name: value.item() if isinstance(value, Tensor) else value for name, value in losses.items()
        }
        for name, value in values.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{name} became {value} by step {self.run.step}; lower the learning rates"
                )
        return values

    def _log(self, is_evaluating: bool) -> dict[str, float]:
        """Write a line of the log; the losses in it that are shown."""
        run = self.run
        means, run.unlogged = average(run.unlogged), []
        scores = self.evaluate() if self.evaluate is not None and is_evaluating else {}
        run.log(**means, **scores)
        if scores:
            run.say(f"step {run.step}: " + ", ".join(f"{name} {value}" for name, value in scores.items()))
        return {name: means[name] for name in self.shown}


def average(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each loss over the steps that had it; a position, which is whole, as it stands last."""
    means: dict[str, float] = {}
    for name in {name: None for step in steps for name in step}:
        values = [step[name] for step in steps if name in step]
        means[name] = values[-1] if isinstance(values[-1], int) else round(fmean(values), 5)
    return means
