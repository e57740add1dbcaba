"""What ``prospero serve`` does: check all that can be checked, say what will be served, and serve it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from litserve import LitServer
from pydantic import ValidationError

from models.checkpoint import CheckpointError
from models.version import VERSION
from service.access import access_line, read_keys
from service.catalog import read_catalog
from service.device import DeviceError, choose_device
from service.flags import read_flags, source_of
from service.kinds import KINDS, configs_of
from service.lifecycle import Lifecycle
from service.server import build_server
from service.settings import Settings, prepare_workers, read_settings
from service.shutdown import ShutdownController, end_children


def main(program: str, arguments: list[str]) -> int:
    """Serve until a signal; 0 after an orderly end, 1 after a failure, 2 for what can't be started."""
    given = read_flags(program, arguments)
    try:
        settings = read_settings(given)
        catalog = read_catalog(settings.checkpoints, configs_of(KINDS))
        device, phrase = choose_device(settings.device)
        keys = read_keys(settings)
    except ValidationError as error:
        first = error.errors()[0]
        name, problem = source_of(str(first["loc"][0]), given), first["msg"].removeprefix("Value error, ")
        print(f"prospero: {name}: {problem}", file=sys.stderr)
        return 2
    except (CheckpointError, DeviceError, ValueError, OSError) as error:
        print(f"prospero: {error}", file=sys.stderr)
        return 2
    names = ", ".join(f"{entry.name} ({entry.kind})" for entry in catalog)
    address = f"http://{settings.host}:{settings.port}"
    print(f"prospero: {VERSION} starting on {address}, models {names}, device {phrase}", flush=True)
    print(f"prospero: {access_line(settings, keys)}", flush=True)
    return serve(settings, lambda lifecycle: build_server(settings, catalog, device, lifecycle))


def serve(settings: Settings, build: Callable[[Lifecycle], LitServer]) -> int:
    """Run a server to its end; the exit status says how it ended."""
    prepare_workers()
    lifecycle = Lifecycle()
    server = build(lifecycle)
    ShutdownController(
        server, lifecycle, settings.drain_delay_seconds, settings.drain_grace_seconds
    ).install()
    try:
        server.run(
            host=settings.host,
            port=settings.port,
            num_api_servers=1,
            log_level="warning",
            generate_client_file=False,
            access_log=False,
            log_config=None,
            server_header=False,
            root_path=settings.root_path,
            http="httptools",
            loop="uvloop",
            backlog=4096,
        )
    except KeyboardInterrupt:
        pass  # told to stop before LitServe had begun to listen for that
    finally:
        end_children()
    return 1 if lifecycle.failed else 0
