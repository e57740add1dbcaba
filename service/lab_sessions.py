"""All lab runs, within the lab's process: they take turns to train, and are looked at for their viewers."""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec

from models.lab.config import LabConfig
from models.lab.frames import Viewer
from models.lab.trainer import Trainer
from models.lab.yardstick import DivergedError
from service.lab_schemas import MAX_SPEED
from service.lab_wire import (
    Control,
    Create,
    Ended,
    Forget,
    Frame,
    GuestConnection,
    Seen,
    Started,
    ToGuest,
    Unwatch,
    Watch,
)

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
        )


class Guest:
    """Messages in, turns for every run, frames out."""

    def __init__(self, connection: GuestConnection, frames_per_second: float) -> None:
        self._connection = connection
        self._frames_per_second = frames_per_second
        self._sessions: dict[str, Session] = {}

    def run(self) -> None:
        """Raises EOFError or OSError when the HTTP process has gone."""
        while True:
            now = time.monotonic()
            waits = [wait for one in self._sessions.values() if (wait := one.wait_seconds(now)) is not None]
            for message in self._connection.receive(min(waits, default=None)):
                self._handle(message)
            for session in list(self._sessions.values()):
                if session.wait_seconds(time.monotonic()) == 0:
                    self._advance(session)

    def _handle(self, message: ToGuest) -> None:
        if isinstance(message, Create):
            self._create(message)
            return
        session = self._sessions.get(message.run)
        if session is None:
            return  # it ended while the message was on its way
        match message:
            case Watch():
                self._connection.send(session.watch())
            case Unwatch():
                session.is_watched = False
            case Seen():
                session.seen()
            case Control():
                session.control(message)
            case Forget():
                del self._sessions[message.run]

    def _create(self, message: Create) -> None:
        try:
            config = LabConfig.model_validate_json(message.config)
            self._sessions[message.run] = Session(message.run, config, self._frames_per_second)
        except Exception:
            self._fail(message.run)

    def _advance(self, session: Session) -> None:
        frame: Frame | None = None
        try:
            frame = session.advance()
        except DivergedError as error:
            del self._sessions[session.run]
            self._connection.send(Ended(session.run, "diverged", str(error)))
        except Exception:  # costs this run, and not the others
            self._fail(session.run)
        if frame is not None:
            self._connection.send(frame)

    def _fail(self, run: str) -> None:
        self._sessions.pop(run, None)
        log.exception("lab run failed", extra={"fields": {"run": run}})
        self._connection.send(Ended(run, "failed", "an error inside; the log says more"))
