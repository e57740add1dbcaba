"""What ``/metrics`` says is what a load generator saw, workers that die and reload notwithstanding."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from harness.load import Books, Clients
from harness.probes import cpu_seconds, descendants, is_idle, total, wait_until, worker_pid
from harness.server import Server, fake_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("truth")
    settings = {"PROSPERO_MAX_RESTARTS": "100", "PROSPERO_ADMIN_TOKEN": "secret"}
    with fake_server(folder, FAKE_KINDS="gpt,landscape", FAKE_STEP_SECONDS="0.001", **settings) as server:
        yield server


def check_books(server: Server, books: Books) -> None:
    wait_until(lambda: is_idle(server))
    name = "prospero_http_requests_total"
    for (route, status), count in books.statuses.items():
        assert total(server, name, route=route, status=str(status)) == count, (route, status)
    posts = sum(
        total(server, name, route=route, method="POST") for route in ("/generate/text", "/generate/landscape")
    )
    assert posts == sum(books.statuses.values())
    assert total(server, "prospero_text_generated_tokens_total") == books.tokens
    assert total(server, "prospero_text_prompt_tokens_total") == books.prompt_tokens
    assert total(server, "prospero_images_total") == books.images
    seconds = total(server, "prospero_http_request_duration_seconds_count", route="/generate/text")
    assert seconds == sum(count for (route, _), count in books.statuses.items() if route == "/generate/text")
    assert total(server, "prospero_text_time_to_first_token_seconds_count") <= sum(books.statuses.values())


def test_counters_equal_what_clients_saw_across_restarts(server: Server) -> None:
    def trouble() -> None:
        for model in ("fake-text", "fake-landscape", "fake-text"):
            time.sleep(1)
            os.kill(worker_pid(server, model), signal.SIGKILL)
            time.sleep(0.5)
            server.wait_ready()

    books = asyncio.run(Clients(server.url).run(16, 1, trouble))
    assert not books.broken
    assert not books.wrong
    assert books.statuses["/generate/text", 503] + books.cut_streams > 0
    assert books.statuses["/generate/text", 200] > 50
    assert books.statuses["/generate/landscape", 200] > 10
    assert books.tokens > 500
    assert total(server, "prospero_worker_restarts_total", model="fake-text") == 2
    assert total(server, "prospero_worker_restarts_total", model="fake-landscape") == 1
    check_books(server, books)


def test_metrics_can_be_scraped_while_busy(server: Server) -> None:
    def scrape() -> None:
        for _ in range(10):
            page = httpx.get(server.url + "/metrics", timeout=10)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert "prospero_requests_running" in page.text

    asyncio.run(Clients(server.url, 1).run(8, 0.2, scrape))


def test_every_metric_has_the_services_prefix_and_a_help(server: Server) -> None:
    """But for those of the process, which have one name everywhere."""
    page = httpx.get(server.url + "/metrics").text
    names = re.findall(r"^# HELP (\S+) \S+", page, re.M)
    assert len(names) >= 15
    assert all(name.startswith(("prospero_", "process_")) for name in names)
    assert not re.findall(r"^\S+_created\b", page, re.M)
    assert {"process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"} <= set(names)


def test_idle_is_idle(server: Server) -> None:
    """A busy-spinning process would take seconds of this; a margin for a slow machine is left."""
    processes = [server.process.pid, *descendants(server.process.pid)]
    before = sum(cpu_seconds(pid) for pid in processes)
    time.sleep(3)
    assert sum(cpu_seconds(pid) for pid in processes) - before < 0.6
