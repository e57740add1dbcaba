"""What is on ``/metrics`` before anybody has asked, and what the log says of those who ask."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.pictures import png
from harness.probes import metrics, sum_of, total, wait_until
from harness.server import Server, fake_server
from models.version import VERSION

HISTOGRAM = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody but the fixture has asked."""
    settings = {"LOG_FORMAT": "json", "TRUSTED_PROXIES": "127.0.0.0/8", "TEXT_SLOTS": "1"}
    environment = {f"PROSPERO_{name}": value for name, value in settings.items()}
    with fake_server(tmp_path_factory.mktemp("metrics"), **environment) as server:
        yield server


def test_every_series_is_there_from_the_start(fresh: Server) -> None:
    page = httpx.get(fresh.url + "/metrics").text
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    with_samples = {name for name, _ in metrics(fresh)}
    for name, kind in typed.items():
        if name.startswith("prospero_key_"):
            continue  # a series for each key, and there is none here
        assert {name + end for end in (HISTOGRAM if kind == "histogram" else ("",))} <= with_samples, name
    start = metrics(fresh)
    for model in ("fake-text", "fake-landscape", "fake-segmenter"):
        for name in ("prospero_worker_restarts_total", "prospero_request_queue_seconds_count"):
            assert start[name, (("model", model),)] == 0
    for status in ("200", "422", "429", "500", "503", "504"):
        key = (("method", "POST"), ("route", "/generate/text"), ("status", status))
        assert start["prospero_http_requests_total", key] == 0
    for status in ("400", "408", "414", "431", "503"):
        key = (("method", "UNKNOWN"), ("route", "unmatched"), ("status", status))
        assert start["prospero_http_requests_total", key] == 0
    for process in ("main", "http", "lab", "fake-text"):
        assert start["prospero_log_lines_dropped_total", (("process", process),)] == 0
    assert sum_of(start, "prospero_lab_runs_ended_total") == 0
    for reason in ("length", "stop"):
        assert start["prospero_text_finished_total", (("model", "fake-text"), ("reason", reason))] == 0
    assert sum_of(start, "prospero_draining") == 0
    assert 0 < sum_of(start, "prospero_memory_used_bytes") < sum_of(start, "prospero_memory_limit_bytes")
    assert sum_of(start, "prospero_requests_running_max", model="fake-text") == 1
    assert sum_of(start, "prospero_requests_waiting_max", model="fake-text") == 256
    assert sum_of(start, "prospero_worker_resident_memory_bytes", model="fake-segmenter") > 2**20
    build = {"version": VERSION, "python": platform.python_version()}
    assert sum_of(start, "prospero_build_info", **build) == 1


def test_images_of_both_kinds_are_counted_by_model(fresh: Server) -> None:
    for path, field in (("/generate/landscape", "sketch"), ("/segment", "photo")):
        assert httpx.post(fresh.url + path, files={field: png()}).status_code == 200
    for name in ("batch_size", "forward_seconds"):
        for model in ("fake-landscape", "fake-segmenter"):
            assert total(fresh, f"prospero_image_{name}_count", model=model) == 1
        assert total(fresh, f"prospero_landscape_{name}_count") == 1
        old = f"# HELP prospero_landscape_{name} Deprecated"
        assert old in httpx.get(fresh.url + "/metrics").text


def test_time_in_the_queue_is_seen(fresh: Server) -> None:
    """One slot: each choice but the first waits for those before it."""
    name, before = "prospero_request_queue_seconds", metrics(fresh)
    body = {"prompt": "a", "max_tokens": 20, "n": 4}
    assert httpx.post(fresh.url + "/generate/text", json=body).status_code == 200
    after = metrics(fresh)
    assert sum_of(after, "prospero_text_finished_total", reason="length") == 4
    grown = {end: sum_of(after, name + end, model="fake-text") - sum_of(before, name + end, model="fake-text")
             for end in ("_count", "_sum")}  # fmt: skip
    assert grown["_count"] == 4
    assert grown["_sum"] > 6 * 20 * 0.003


def test_a_lost_worker_counts_from_zero(fresh: Server) -> None:
    os.kill(json_pid(fresh), signal.SIGKILL)
    wait_until(lambda: total(fresh, "prospero_worker_restarts_total", model="fake-segmenter") == 1)
    fresh.wait_ready()


def json_pid(server: Server) -> int:
    ready = [line for line in lines(server) if line.get("message") == "model ready"]
    return int(next(line["pid"] for line in ready if line["model"] == "fake-segmenter"))


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]


def test_parts_of_the_page_are_one_route_and_what_is_no_part_has_none(fresh: Server) -> None:
    first = httpx.get(fresh.url + "/studio/main.js")
    httpx.get(fresh.url + "/studio/main.js", headers={"If-None-Match": first.headers["etag"]})
    httpx.get(fresh.url + "/studio/nothing.js")
    for route, status in (("/studio/{name:path}", 200), ("/studio/{name:path}", 304), ("unmatched", 404)):
        assert total(fresh, "prospero_http_requests_total", route=route, status=str(status)) == 1
        assert any((line.get("route"), line.get("status")) == (route, status) for line in lines(fresh))


def test_polls_are_not_told_and_clients_have_addresses(fresh: Server) -> None:
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        httpx.get(fresh.url + path)
    httpx.get(fresh.url + "/palette")
    httpx.get(fresh.url + "/version", headers={"X-Forwarded-For": "203.0.113.9"})
    told = wait_until(
        lambda: {line["route"]: line for line in lines(fresh) if line.get("route") == "/version"}
    )
    seen = {line["route"]: line["client"] for line in lines(fresh) if "route" in line}
    assert told
    assert (seen["/palette"], seen["/version"]) == ("127.0.0.1", "203.0.113.9")
    assert not {"/health", "/health/live", "/health/ready", "/metrics"} & seen.keys()
