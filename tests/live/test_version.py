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
    builds = [dict(labels) for name, labels in metrics(bundled) if name == "prospero_build_info"]
    assert [one["version"] for one in builds] == [VERSION]


def test_the_log_begins_with_it(bundled: Server) -> None:
    first = bundled.read_log().splitlines()[0]
    assert re.match(rf"prospero: {re.escape(VERSION)} starting on http://", first)


def test_the_log_says_who_may_do_what(bundled: Server) -> None:
    (line,) = [line for line in bundled.read_log().splitlines() if line.startswith("prospero: access: ")]
    assert "no API key asked for; reload: nobody by HTTP" in line
