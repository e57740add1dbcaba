"""The main process's table of workers: a process for each model, started again when it has died.

LitServe starts them, and could watch over them, but for the list of models that it is given at the start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from time import monotonic

from service.orders import Orders, Start, Stop
from service.workers.process import EngineAPI

RETRY_SECONDS = 1.0  # after a worker could not be started

log = logging.getLogger("prospero.workers")


@dataclass
class _Worker:
    api: EngineAPI
    process: BaseProcess | None = None
    due: float = 0.0  # when it may be started, by time.monotonic

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()


class WorkerProcesses:
    """Used by the main thread alone.

    Args:
        launch: starts a worker.
        orders: what the HTTP process asks for.
    """

    def __init__(self, launch: Callable[[EngineAPI], BaseProcess], orders: Orders) -> None:
        self._launch = launch
        self._orders = orders
        self._workers: dict[str, _Worker] = {}

    def start(self, api: EngineAPI) -> None:
        """Start the worker of a model that has none."""
        worker = self._workers[api.model] = _Worker(api)
        self._try(worker)

    def look(self) -> None:
        """Do what was asked for, and start those again that have died; called many times a second."""
        for order in self._orders.take():
            match order:
                case Start(config):
                    self.start(EngineAPI(config))
                case Stop(model):
                    self._stop(model)
        for model, worker in self._workers.items():
            if not worker.is_alive and monotonic() >= worker.due:
                log.info("starting the worker of %s again", model)
                self._try(worker)

    def all(self) -> list[BaseProcess]:
        """Those that have been started, whether they live or not."""
        return [worker.process for worker in self._workers.values() if worker.process is not None]

    def _try(self, worker: _Worker) -> None:
        try:
            worker.process = self._launch(worker.api)
        except (OSError, EOFError) as error:  # no more processes, or LitServe's manager has gone
            worker.due = monotonic() + RETRY_SECONDS
            log.error("the worker of %s can't be started: %r", worker.api.model, error)

    def _stop(self, model: str) -> None:
        worker = self._workers.pop(model, None)
        if worker is not None and worker.process is not None:
            worker.process.kill()  # it works for nobody any more, and owns nothing that outlives it
            worker.process.join()
