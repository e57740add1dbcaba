"""The version stands once, and is told wherever one would look for it."""

from __future__ import annotations

import re

from harness.probes import metrics
from harness.server import Server
from models.version import VERSION


def test_the_version_is_served(bundled: Server) -> None:
    with bundled.client() as client:
        assert client.get("/version").json() == {"version": VERSION}
        assert client.get("/openapi.json").json()["info"]["version"] == VERSION
    assert metrics(bundled)["prospero_build_info", (("version", VERSION),)] == 1


def test_the_log_begins_with_it(bundled: Server) -> None:
    first = bundled.read_log().splitlines()[0]
    assert re.match(rf"prospero: {re.escape(VERSION)} starting on http://", first)
