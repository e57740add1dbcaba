"""Servers that several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.server import Server, fake_server, run_server


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with fake engines. Tests that kill or drain start one of their own."""
    with fake_server(tmp_path_factory.mktemp("fake") / "server") as server:
        yield server


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with the bundled checkpoints, as `make serve` starts it."""
    with run_server(tmp_path_factory.mktemp("bundled") / "server.log", ["-m", "prospero", "serve"]) as server:
        yield server


@pytest.fixture
def client(fake: Server) -> Iterator[httpx.Client]:
    with fake.client() as client:
        yield client
