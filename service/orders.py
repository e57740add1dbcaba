"""What the HTTP process asks of the main process, which alone may start workers and end them."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass

from service.workers.process import WorkerConfig


@dataclass(frozen=True)
class Start:
    """Start a worker, and another whenever it has died."""

    config: WorkerConfig


@dataclass(frozen=True)
class Stop:
    """End a model's worker for good."""

    model: str


class Orders:
    """A pipe between the two, made before the HTTP process is forked."""

    def __init__(self) -> None:
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)

    def give(self, order: Start | Stop) -> None:
        """In the HTTP process; what comes of it, its worker's connection tells."""
        self._writer.send(order)

    def take(self) -> list[Start | Stop]:
        """In the main process: those that have come, without waiting for any."""
        found: list[Start | Stop] = []
        while self._reader.poll():
            found.append(self._reader.recv())
        return found
