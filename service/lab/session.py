"""One lab run within the lab's process: it trains in turns, and is looked at for its viewer."""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec

from models.lab.config import LabConfig
from models.lab.frames import Viewer
from models.lab.trainer import Trainer
from service.lab.messages import (
    Control,
    Frame,
    Started,
)
from service.lab.schemas import MAX_SPEED
from service.logs import num_lines_dropped

TURN_SECONDS = 0.02  # how long one run trains before the next has its turn
FRAME_SHARE = 1 / 3  # of the time at most, where frames are dear

log = logging.getLogger("prospero.lab")
_encode = msgspec.json.Encoder().encode


class Session:
    """One run in this process: a trainer, a viewer, and when either is due."""

    def __init__(self, run: str, config: LabConfig, frames_per_second: float) -> None:
        self.run = run
        self.is_watched = False
        self._trainer = Trainer(config)
        self._viewer = Viewer(self._trainer)
        self._paused = False
        self._steps_left: int | None = None
        self._speed = MAX_SPEED
        self._train = "both"
        self._interval = 1 / frames_per_second
        self._next_step = self._next_frame = 0.0
        self._frame_wanted = self._may_send = False
        self._rate_from = (0.0, 0)

    def watch(self) -> Started:
        """A viewer has come, perhaps again."""
        self.is_watched = self._frame_wanted = True
        self._may_send = False  # until this has been sent on, as with every frame
        self._rate_from = (time.monotonic(), self._trainer.steps)
        return Started(self.run, _encode({"type": "start", "id": self.run, **self._viewer.start()}))

    def seen(self) -> None:
        self._may_send = True

    def control(self, change: Control) -> None:
        if change.paused is not None:
            self._paused, self._steps_left = change.paused, None
        if change.steps is not None:
            self._paused, self._steps_left = False, change.steps
        if change.speed is not None:
            self._speed, self._next_step = change.speed, 0.0
        if change.train is not None:
            self._train = change.train
        self._frame_wanted = True
        self._next_frame = 0.0

    def wait_seconds(self, now: float) -> float | None:
        """How long this run has nothing to do; None: until a message comes."""
        waits = []
        if self.is_watched and not self._paused:
            waits.append(self._next_step - now)
        if self._wants_frame():
            waits.append(self._next_frame - now)
        return max(0.0, min(waits)) if waits else None

    def advance(self) -> Frame | None:
        """Train for a turn, or until the next step isn't due; then look, if that is due.

        Raises:
            DivergedError: the training went out of bounds.
        """
        turn_ends = time.monotonic() + TURN_SECONDS
        while (
            self.is_watched and not self._paused and self._next_step <= (now := time.monotonic()) < turn_ends
        ):
            self._step(now)
        if self._wants_frame() and self._next_frame <= time.monotonic():
            return self._frame()
        return None

    def _wants_frame(self) -> bool:
        return self.is_watched and self._may_send and self._frame_wanted

    def _step(self, now: float) -> None:
        self._trainer.step(self._train != "discriminator", self._train != "generator")
        # From when the step was due and not from now, or the rate would lag; but no catching up.
        self._next_step = max(self._next_step + 1 / self._speed, now)
        self._frame_wanted = True
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left <= 0:
                self._paused, self._steps_left = True, None
                self._next_frame = 0.0

    def _frame(self) -> Frame:
        began = time.monotonic()
        since, step = self._rate_from
        seen = self._viewer.frame()
        state: dict[str, Any] = {
            "type": "frame",
            "paused": self._paused,
            "train": self._train,
            "speed": self._speed,
            "steps_per_second": round((self._trainer.steps - step) / max(began - since, 1e-3), 1),
        }
        self._rate_from = (began, self._trainer.steps)
        self._frame_wanted = self._may_send = False
        ended = time.monotonic()
        self._next_frame = max(began + self._interval, ended + (ended - began) * (1 / FRAME_SHARE - 1))
        return Frame(
            self.run,
            _encode(state | seen),
            self._trainer.steps,
            self._trainer.generator_updates,
            self._trainer.discriminator_updates,
            self._paused,
            time.process_time(),
            num_lines_dropped(),
        )
