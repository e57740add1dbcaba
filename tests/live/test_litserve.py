"""What the service relies on in LitServe 0.2.19; an upgrade that changes it must fail here, loudly."""

from __future__ import annotations

import importlib.metadata
import inspect
import multiprocessing
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from litserve import LitAPI, LitServer
from litserve.loops import LitLoop, inference_worker
from litserve.specs.base import LitSpec
from starlette.middleware.gzip import GZipMiddleware

from harness.fakes import FakeLoaders, fake_catalog
from harness.probes import descendants
from harness.server import ROOT
from harness.server import Server as RunningServer
from service.lifecycle import Lifecycle
from service.server import LITSERVE_PATHS, Server, build_server
from service.settings import Settings
from service.workers.process import EngineAPI, EngineLoop, EngineSpec, WorkerConfig


def source(thing: Any) -> str:
    """Its code with all white space made one, so that a new line break breaks nothing."""
    return re.sub(r"\s+", " ", inspect.getsource(thing))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> LitServer:
    folder = tmp_path_factory.mktemp("litserve")
    return build_server(Settings(), fake_catalog(folder), "cpu", Lifecycle(), FakeLoaders())


def test_the_pinned_version_is_installed() -> None:
    pin = re.search(r"^litserve==(\S+)", (ROOT / "requirements.txt").read_text(), re.M)
    assert pin is not None
    assert importlib.metadata.version("litserve") == pin[1] == "0.2.19"


def test_arguments_that_we_pass() -> None:
    taken = inspect.signature(LitServer.__init__).parameters
    names = {"accelerator", "devices", "timeout", "healthcheck_path", "info_path", "restart_workers"}
    assert names <= taken.keys()
    assert {"loop", "spec"} <= inspect.signature(LitAPI.__init__).parameters.keys()


def test_what_its_run_does_is_what_ours_does() -> None:
    """`Server.serve_on` takes the same steps in their order, less binding, lines in the log, and waiting.

    Its `verify_worker_status` waits for a worker's `setup`, which with us returns at once. Its monitor starts
    dead workers of a list that is made at the start; ours is `WorkerProcesses`.
    """
    code, ours = source(LitServer.run), source(Server.serve_on)
    steps = ["= self._init_manager(", "self.launch_inference_worker(", "= self._start_server("]
    steps += ["self._perform_graceful_shutdown(manager, "]
    assert inspect.signature(LitServer._start_server).parameters.keys() == {
        "self", "port", "num_uvicorn_servers", "log_level", "sockets", "uvicorn_worker_type", "kwargs"
    }  # fmt: skip
    for text in (code, ours.replace("workers.start(", "self.launch_inference_worker(")):
        places = [text.index(step) for step in steps]
        assert places == sorted(places)


def test_attributes_that_we_set(server: LitServer) -> None:
    """Set under another name, they would do nothing, and nobody would notice."""
    assert isinstance(server.app, FastAPI)
    assert "self.uvicorn_graceful_timeout = " in source(LitServer.__init__)
    assert "timeout_graceful_shutdown=self.uvicorn_graceful_timeout" in source(LitServer)


def test_the_end_stops_http_first_and_workers_next() -> None:
    end = source(LitServer._perform_graceful_shutdown)
    assert 0 < end.index("uw.terminate()") < end.index("iw.terminate()") < end.index("manager.shutdown()")


def test_what_a_worker_that_comes_later_needs() -> None:
    """`Server._launch` adds a model to the tables that LitServe fills at the start."""
    launch, ours = source(LitServer.launch_inference_worker), source(Server._launch)
    assert "self._get_request_queue(lit_api.api_path)" in launch
    assert "self._inference_workers_config_for_api(lit_api.api_path)" in launch
    assert "self.litapi_request_queues[lit_api.api_path] = manager.Queue()" in source(LitServer._init_manager)
    assert "self._workers_per_device_by_api_path[" in source(LitServer._inference_workers_config_for_api)
    for step in ("connector.pre_setup()", "connector.set_request_timeout("):
        assert step in source(LitServer.__init__).replace("self.litapi_", "")
        assert step in ours


def test_processes_are_made_as_we_expect() -> None:
    """HTTP is forked from the main process, and so shares its memory; workers are spawned, and must not."""
    assert 'get_context("fork")' in source(LitServer._start_server)
    assert 'get_context("spawn")' in source(LitServer.launch_inference_worker)


def test_a_worker_calls_setup_and_then_our_loop() -> None:
    code = source(inference_worker)
    assert (
        0 < code.index("lit_api.setup(device)") < code.index("WorkerSetupStatus.READY") < code.index(" loop(")
    )
    assert "loop: LitLoop = lit_api.loop" in code
    call = source(LitLoop.__call__)
    assert "self.run(" in call


def test_our_loop_and_spec_are_taken(server: LitServer) -> None:
    for api in server.litapi_connector:
        assert isinstance(api, EngineAPI)
        assert isinstance(api.loop, EngineLoop)
        assert isinstance(api.spec, EngineSpec)
        assert issubclass(EngineSpec, LitSpec)
        assert issubclass(EngineLoop, LitLoop)
        assert api.stream


def test_nothing_is_compressed_on_the_event_loop(server: LitServer) -> None:
    assert not any(layer.cls is GZipMiddleware for layer in server.app.user_middleware)
    assert not server.app.user_middleware


def test_only_our_routes_are_left(server: LitServer) -> None:
    paths = {getattr(route, "path", "") for route in server.app.routes}
    assert not paths & set(LITSERVE_PATHS[1:])
    assert not any(path.startswith("/engines") for path in paths)
    assert {"/generate/text", "/generate/landscape", "/segment", "/health", "/metrics", "/docs"} <= paths


def test_our_layers_are_the_apps(server: LitServer) -> None:
    """FastAPI builds its own layers only while ``middleware_stack`` is None."""
    assert server.app.middleware_stack is not None
    assert "self.middleware_stack is None" in source(FastAPI.__mro__[1].__call__)
    assert not server.track_requests  # it would add a layer, and fail


def test_one_api_pickles(tmp_path: Path) -> None:
    """Workers are spawned: what they are given is pickled."""
    load = FakeLoaders()(fake_catalog(tmp_path)[0], Settings())
    api = EngineAPI(WorkerConfig("fake-text", "/nowhere", "text", "info", load))
    api.pre_setup(None)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_check_api, args=(api,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _check_api(api: EngineAPI) -> None:
    assert isinstance(api.loop, EngineLoop)
    assert threading.current_thread() is threading.main_thread()


def test_the_running_server_is_made_of_these_processes(fake: RunningServer) -> None:
    """One HTTP process and LitServe's manager, forked; a worker per engine, and Python's tracker, spawned."""
    commands = list(descendants(fake.process.pid).values())
    assert sum("spawn_main" in command for command in commands) == 3
    assert sum("resource_tracker" in command for command in commands) == 1
    assert sum("fake_server" in command for command in commands) == 2
    assert len(commands) == 6


@pytest.mark.usefixtures("fake")
def test_nothing_is_written_where_it_runs() -> None:
    assert not (ROOT / "client.py").exists()
