"""The HTTP process's watch: over its workers, over the main process, and over its own start and end.

A worker that died is started anew by the main process (worker_processes.py); one that is silent too long
is killed by workers/client.py, which is told the time from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable

from service.garbage import freeze_gc
from service.lifecycle import Lifecycle, Phase
from service.logs import configure_logging
from service.metrics import Metrics
from service.registry import ModelRegistry
from service.settings import Settings
from service.workers.client import State, WorkerClient
from service.workers.listener import WorkerProtocol

log = logging.getLogger("prospero")

TICK_SECONDS = 0.2


class RestartLimit:
    """Ends the server when one model has lost too many workers lately."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._max_restarts = settings.max_restarts
        self._window = settings.restart_window_seconds
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._deaths: dict[str, deque[float]] = defaultdict(deque)

    def on_death(self, client: WorkerClient) -> None:
        """A worker was lost; LitServe starts the next one."""
        if self._lifecycle.phase >= Phase.CLOSED:
            return
        self._metrics.restarts.labels(client.name).inc()
        deaths, now = self._deaths[client.name], time.monotonic()
        deaths.append(now)
        while deaths[0] < now - self._window:
            deaths.popleft()
        if len(deaths) > self._max_restarts:
            self._lifecycle.fail(f"{client.name!r} lost {len(deaths)} workers within {self._window:.0f} s")


class Supervisor:
    """Listens for workers and watches over them while the HTTP process serves.

    Args:
        listener: where workers connect.
        announce: what is said, once, when every model is ready.
        on_reload: called on SIGHUP, before every model is loaded anew.
    """

    def __init__(
        self,
        settings: Settings,
        lifecycle: Lifecycle,
        metrics: Metrics,
        models: ModelRegistry,
        listener: socket.socket,
        announce: str,
        on_reload: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._models = models
        self._listener = listener
        self._announce = announce
        self._on_reload = on_reload

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """From the HTTP process's start to its end."""
        configure_logging(self._settings.log_format, self._settings.log_level)
        loop = asyncio.get_running_loop()
        workers = self._models.workers
        server = await loop.create_unix_server(lambda: WorkerProtocol(workers), sock=self._listener)

        def on_hup() -> None:
            self._on_reload()
            self._reload = loop.create_task(self._models.reload())
            self._lifecycle.watch(self._reload, "a reload")

        loop.add_signal_handler(signal.SIGHUP, on_hup)
        self._lifecycle.guard_http()
        freeze_gc()
        log.info("listening", extra={"fields": {"pid": os.getpid()}})
        ticker = asyncio.ensure_future(self._tick())
        self._lifecycle.watch(ticker, "supervision")
        try:
            yield
        finally:
            ticker.cancel()
            server.close()

    async def _tick(self) -> None:
        is_announced = False
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self._lifecycle.in_flight = self._metrics.in_flight
            if self._lifecycle.is_orphaned:
                log.critical("the main process has died")
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if not is_announced and all(state is State.READY for state in self._models.states().values()):
                is_announced = True
                with contextlib.suppress(OSError, ValueError):  # nobody need read it
                    print(f"prospero: ready, {self._announce}", flush=True)
            was_awake = time.monotonic() - before < 2 * TICK_SECONDS  # else we were the silent ones
            if was_awake and not self._supervise():
                return

    def _supervise(self) -> bool:
        """Look after every worker; False when one has not come up in time, and the server ends."""
        for client in self._models.workers.values():
            client.supervise()
        for client in self._models.clients.values():
            if client.absent_seconds > self._settings.load_timeout_seconds:
                self._lifecycle.fail(f"no worker for {client.name!r} has come up")
                return False
        return True
