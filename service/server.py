"""Builds the LitServe server: one worker per checkpoint, and one HTTP process with our application."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.managers import SyncManager
from multiprocessing.process import BaseProcess
from typing import Any

from litserve import LitServer
from litserve.server import _LitAPIConnector

from service.app import Application
from service.catalog import Entry, find_entry, reread_entry
from service.descriptors import share_out
from service.http.connections import ConnectionLimits, Connections
from service.kinds import KINDS, Kinds, configs_of
from service.lifecycle import Lifecycle
from service.listening import url_of
from service.orders import Orders
from service.settings import Settings
from service.shutdown import end_children
from service.worker_processes import WorkerProcesses
from service.workers.batching import Loader
from service.workers.listener import listen
from service.workers.process import EngineAPI, WorkerConfig

LITSERVE_PATHS = ("/", "/litserve-health", "/litserve-info")  # its own routes, replaced by ours


class Server(LitServer):
    """LitServe on a socket that listens already, with workers that come and go.

    Its own `run` binds one itself, to one of three addresses, and what can't be bound it only logs; and it
    ends by an exception, which a signal's handler would have to raise wherever the main thread happens to be.
    """

    connections: Connections  # the HTTP process's, which others hold an empty copy of
    orders: Orders

    def serve_on(
        self,
        listener: socket.socket,
        wait: Callable[[Callable[[], None]], bool],
        log_level: str,
        **options: Any,
    ) -> None:
        """Serve until ``wait`` returns; if that is False, kill what runs.

        Args:
            wait: is to call its argument often, which looks after the workers.
            options: uvicorn's.
        """
        manager = self._init_manager(1)
        http: dict[int, Any] = {}
        workers = WorkerProcesses(partial(self._launch, manager), self.orders)
        try:
            for api in self.litapi_connector:
                workers.start(api)
            port = listener.getsockname()[1]
            http = self._start_server(port, 1, log_level, [listener], "process", **options)
            if not wait(workers.look):
                end_children()
        finally:
            self.inference_workers = workers.all()
            self._perform_graceful_shutdown(manager, http, "keyboard_interrupt")

    def _launch(self, manager: SyncManager, api: EngineAPI) -> BaseProcess:
        path = api.api_path
        if path not in self.litapi_request_queues:  # a model that LitServe was not made with
            connector = _LitAPIConnector(api)
            connector.pre_setup()
            connector.set_request_timeout(self.timeout)
            self._workers_per_device_by_api_path[path] = 1
            self.litapi_request_queues[path] = manager.Queue()
        process: BaseProcess
        (process,) = self.launch_inference_worker(api)
        return process


def build_server(
    settings: Settings,
    catalog: Sequence[Entry],
    device: str,
    lifecycle: Lifecycle,
    loader: Callable[[Entry, Settings], Loader] | None = None,
    kinds: Kinds = KINDS,
    find: Callable[[str], Entry] | None = None,
) -> Server:
    """Put everything together; nothing has started when this returns.

    Args:
        device: "cpu" or "cuda:N".
        loader: how a worker loads an entry; tests and benchmarks bring engines of their own.
        kinds: the table of kinds; every entry of the catalogue is of one of them.
        find: reads an entry by name that is to be served from now on; see `find_entry`.
    """
    listener, path = listen()
    logging = (settings.log_format, settings.log_level)

    def make_config(entry: Entry) -> WorkerConfig:
        return WorkerConfig(entry.name, path, *logging, (loader or kinds[entry.kind].loader)(entry, settings))

    apis = [EngineAPI(make_config(entry)) for entry in catalog]
    announce = f"{url_of(settings.host, settings.port)}, device {device}"
    reread = partial(reread_entry, configs=configs_of(kinds)) if loader is None else _unchanged
    find = find or partial(find_entry, settings.checkpoints, configs=configs_of(kinds))
    server = _lit_server(apis, device)
    server.orders = Orders()
    server.connections = connections = Connections(_connection_limits(settings))
    application = Application(
        settings, kinds, catalog, lifecycle, listener, announce, reread, connections,
        server.orders, find, make_config,
    )  # fmt: skip
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
    server.uvicorn_graceful_timeout = 3  # draining is over by then
    app = server.app
    app.router.routes[:] = [
        one for one in app.router.routes if getattr(one, "path", "") not in LITSERVE_PATHS
    ]
    app.title = "Prospero"
    app.description = "GPT text and sketch-to-landscape generation."
    return server
