"""Builds the LitServe server: one worker per checkpoint, and one HTTP process with our application."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from litserve import LitServer

from service.app import Application
from service.catalog import Entry, reread_entry
from service.descriptors import share_out
from service.http.connections import ConnectionLimits, Connections
from service.kinds import KINDS, Kinds, configs_of
from service.lifecycle import Lifecycle
from service.listening import url_of
from service.settings import Settings
from service.shutdown import MONITOR_SECONDS, end_children
from service.workers.batching import Loader
from service.workers.listener import listen
from service.workers.process import EngineAPI, WorkerConfig

LITSERVE_PATHS = ("/", "/litserve-health", "/litserve-info")  # its own routes, replaced by ours


class Server(LitServer):
    """LitServe on a socket that listens already.

    Its own `run` binds one itself, to one of three addresses, and what can't be bound it only logs; and it
    ends by an exception, which a signal's handler would have to raise wherever the main thread happens to be.
    """

    connections: Connections  # the HTTP process's, which others hold an empty copy of

    def serve_on(
        self, listener: socket.socket, wait: Callable[[], bool], log_level: str, **options: Any
    ) -> None:
        """Serve until ``wait`` returns; if that is False, kill what runs. ``options`` are uvicorn's."""
        manager = self._init_manager(1)
        http: dict[int, Any] = {}
        self.inference_workers = []
        try:
            for api in self.litapi_connector:
                self.inference_workers += self.launch_inference_worker(api)
            port = listener.getsockname()[1]
            http = self._start_server(port, 1, log_level, [listener], "process", **options)
            self._start_worker_monitoring(manager, http)
            is_orderly = wait()
            self.monitor_internal = 3600.0  # or it would start the workers again that are about to be stopped
            time.sleep(2 * MONITOR_SECONDS)
            if not is_orderly:
                end_children()
        finally:
            self._perform_graceful_shutdown(manager, http, "keyboard_interrupt")


def build_server(
    settings: Settings,
    catalog: Sequence[Entry],
    device: str,
    lifecycle: Lifecycle,
    loader: Callable[[Entry, Settings], Loader] | None = None,
    kinds: Kinds = KINDS,
) -> Server:
    """Put everything together; nothing has started when this returns.

    Args:
        device: "cpu" or "cuda:N".
        loader: how a worker loads an entry; tests and benchmarks bring engines of their own.
        kinds: the table of kinds; every entry of the catalogue is of one of them.
    """
    listener, path = listen()
    logging = (settings.log_format, settings.log_level)
    loaders = {entry.name: (loader or kinds[entry.kind].loader)(entry, settings) for entry in catalog}
    apis = [EngineAPI(WorkerConfig(name, path, *logging, load)) for name, load in loaders.items()]
    announce = f"{url_of(settings.host, settings.port)}, device {device}"
    reread = partial(reread_entry, configs=configs_of(kinds)) if loader is None else _unchanged
    server = _lit_server(apis, device)
    server.connections = connections = Connections(_connection_limits(settings))
    application = Application(settings, kinds, catalog, lifecycle, listener, announce, reread, connections)
    application.install(server.app)
    return server


def _connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        max_connections=share_out(settings.max_connections).connections,
        max_head_bytes=settings.max_head_bytes,
        max_headers=settings.max_headers,
        head_seconds=settings.head_timeout_seconds,
        send_seconds=settings.send_timeout_seconds,
    )


def _unchanged(entry: Entry) -> Entry:
    return entry


def _lit_server(apis: list[EngineAPI], device: str) -> Server:
    """LitServe with a worker per API, and without its own routes."""
    accelerator, _, index = device.partition(":")
    server = Server(
        apis,
        accelerator="cuda" if accelerator == "cuda" else "cpu",
        devices=[int(index or 0)] if accelerator == "cuda" else 1,
        timeout=False,
        healthcheck_path=LITSERVE_PATHS[1],
        info_path=LITSERVE_PATHS[2],
        restart_workers=True,
    )
    server.monitor_internal = MONITOR_SECONDS
    server.uvicorn_graceful_timeout = 3  # draining is over by then
    app = server.app
    app.router.routes[:] = [
        one for one in app.router.routes if getattr(one, "path", "") not in LITSERVE_PATHS
    ]
    app.title = "Prospero"
    app.description = "GPT text and sketch-to-landscape generation."
    return server
