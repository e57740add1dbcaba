"""All lab runs, within the lab's process: they take turns to train, and are looked at for their viewers."""

from __future__ import annotations

import logging
import time

from models.lab.config import LabConfig
from models.lab.yardstick import DivergedError
from service.lab.messages import (
    Control,
    Create,
    Ended,
    Forget,
    Frame,
    LabConnection,
    Seen,
    ToLab,
    Unwatch,
    Watch,
)
from service.lab.session import Session

log = logging.getLogger("prospero.lab")


class LabWorker:
    """Messages in, turns for every run, frames out."""

    def __init__(self, connection: LabConnection, frames_per_second: float) -> None:
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

    def _handle(self, message: ToLab) -> None:
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
