"""What ``prospero serve`` does: check all that can be checked, say what will be served, and serve it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from models.checkpoint import CheckpointError
from models.errors import reason_of
from models.version import VERSION
from service.access import access_line, read_keys
from service.catalog import read_catalog
from service.config_file import format_config
from service.descriptors import share_out
from service.device import choose_device
from service.flags import read_flags, source_of
from service.http.protocol import HTTPProtocol
from service.kinds import KINDS, check_names, configs_of
from service.lifecycle import Lifecycle
from service.listening import listen_on, url_of
from service.logs import configure_logging, wrap_output
from service.server import Server, build_server
from service.settings import (
    SettingError,
    Settings,
    asks_for_json,
    prepare_workers,
    read_settings,
    variable_of,
)
from service.shutdown import ShutdownController, end_children
from service.tracing import make_tracing

log = logging.getLogger("prospero")


def main(program: str, arguments: list[str]) -> int:
    """Serve until a signal; 0 after an orderly end, 1 after a failure, 2 for what can't be started."""
    given = read_flags(program, arguments)
    only_prints = given.pop("print_config", False)
    if asks_for_json(given) and not only_prints:
        wrap_output()
    try:
        settings = read_settings(given)
        if not only_prints:
            catalog = read_catalog(settings.checkpoints, configs_of(KINDS))
            device, phrase = choose_device(settings.device)
            keys = read_keys(settings)
            check_names(settings, catalog, KINDS)
            make_tracing(settings)
    except ValidationError as error:
        return refuse(_first_complaint(error, given))
    except SettingError as error:
        return refuse(_complaint(error.setting, error.reason, given))
    except (CheckpointError, ValueError, OSError) as error:
        return refuse(str(error))
    if only_prints:
        print(format_config(settings, lambda name: source_of(name, given)))
        return 0

    def build(lifecycle: Lifecycle) -> Server:
        server = build_server(settings, catalog, device, lifecycle)
        names = ", ".join(f"{entry.name} ({entry.kind})" for entry in catalog)
        address = url_of(settings.host, settings.port)
        print(f"prospero: {VERSION} starting on {address}, models {names}, device {phrase}", flush=True)
        print(f"prospero: {access_line(settings, keys)}", flush=True)
        return server

    return serve(settings, build)


def refuse(reason: str) -> int:
    """Say in one line why nothing is started; the exit status for that."""
    print(f"prospero: {' '.join(reason.split())}", file=sys.stderr)
    return 2


def _first_complaint(error: ValidationError, given: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    message = reason_of(first)
    # What several settings make together has no place of its own; the message names them.
    if not first["loc"]:
        return message
    return _complaint(str(first["loc"][0]), message, given)


def _complaint(setting: str, reason: str, given: Mapping[str, Any]) -> str:
    """A reason under the name by which the setting was given; its variable's, if it wasn't."""
    source = source_of(setting, given) or variable_of(setting)
    return f"{setting}: {reason} ({source})" if source == "config file" else f"{source}: {reason}"


def serve(settings: Settings, build: Callable[[Lifecycle], Server]) -> int:
    """Run a server to its end; the exit status says how it ended."""
    prepare_workers()
    configure_logging(settings.log_format, settings.log_level)
    try:
        descriptors = share_out(settings.max_connections)
        listener = listen_on(settings.host, settings.port, descriptors.backlog)
    except OSError as error:
        return refuse(str(error))
    try:
        lifecycle = Lifecycle()
        server = build(lifecycle)
    except OSError as error:  # processes meet in the temporary directory
        listener.close()
        return refuse(f"TMPDIR: {error}")
    if descriptors.connections < settings.max_connections:
        log.warning(
            "at most %d connections, not %d: open files are limited to %d (ulimit -n)",
            *(descriptors.connections, settings.max_connections, descriptors.limit),
        )
    shutdown = ShutdownController(lifecycle, settings.drain_delay_seconds, settings.drain_grace_seconds)
    shutdown.install()
    try:
        server.serve_on(
            listener,
            shutdown.wait,
            log_level="warning",
            access_log=False,
            log_config=None,
            server_header=False,
            forwarded_allow_ips=list(settings.trusted_proxies),
            root_path=settings.root_path,
            http=partial(HTTPProtocol, connections=server.connections),
            ws="none",
            timeout_keep_alive=settings.keep_alive_seconds,
            loop="uvloop",
            backlog=descriptors.backlog,
        )
    finally:
        end_children()
    return 1 if lifecycle.failed else 0
