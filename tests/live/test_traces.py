"""What a collector gets of a real server's requests: whose traces, which spans, and no words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import httpx
import pytest

from client.events import lines_of
from harness.pictures import png
from harness.probes import total, wait_until, worker_pid
from harness.server import ROOT, Server, fake_server
from tests.live.collector import Collector, Span, running_collector
from tests.live.sse import read_events

WORDS = "zebra-xylophone"  # in every prompt
SECRET = "open-sesame-secret"
HEADERS = {"X-API-Key": SECRET}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("traces")
    copy(ROOT / "checkpoints" / "gpt-shakespeare" / "chat_template.json", folder)
    (folder / "keys.toml").write_text(f'[alice]\nkey = "{SECRET}"\n')
    with fake_server(
        folder,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=tests",
        OTEL_BSP_SCHEDULE_DELAY="50",
        PROSPERO_API_KEYS_FILE=str(folder / "keys.toml"),
        PROSPERO_TEXT_SLOTS="1",
        PROSPERO_TEXT_QUEUE="1",
        PROSPERO_MAX_RESTARTS="100",
    ) as one:
        yield one


def post(server: Server, path: str = "/generate/text", **body: Any) -> httpx.Response:
    return httpx.post(
        server.url + path, json={"prompt": WORDS, "max_tokens": 5, **body}, headers=HEADERS, timeout=60
    )


def traced(collector: Collector, answer: httpx.Response) -> tuple[Span, dict[str, list[Span]]]:
    return collector.trace_of(answer.headers["x-request-id"])


def check_within(server_span: Span, children: dict[str, list[Span]]) -> None:
    for one in (child for many in children.values() for child in many):
        assert one.trace == server_span.trace
        assert server_span.sent.start_time_unix_nano <= one.sent.start_time_unix_nano + 2_000_000
        assert one.sent.start_time_unix_nano <= one.sent.end_time_unix_nano
        assert one.sent.end_time_unix_nano <= server_span.sent.end_time_unix_nano


def test_a_text(server: Server, collector: Collector) -> None:
    span, children = traced(collector, post(server, n=2))
    assert (span.name, span.sent.kind) == ("POST /generate/text", span.sent.SPAN_KIND_SERVER)
    assert span.sent.parent_span_id == b""
    assert not span.is_error
    told = span.attributes
    assert told["http.request.method"] == "POST"
    assert told["http.route"] == told["url.path"] == "/generate/text"
    assert told["http.response.status_code"] == 200
    assert told["server.address"] == "127.0.0.1"
    assert (told["gen_ai.request.model"], told["gen_ai.operation.name"]) == ("fake-text", "text_completion")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (len(WORDS), 10)
    assert told["prospero.key"] == "alice"
    assert {name: len(many) for name, many in children.items()} == {
        "door": 1,
        "queue": 2,
        "prefill": 2,
        "decode": 2,
    }
    check_within(span, children)
    second = children["queue"][1]  # there is one slot, and the first choice takes five steps of 3 ms
    assert second.seconds > 0.01
    assert children["decode"][0].attributes["gen_ai.response.finish_reasons"] == ["length"]
    assert children["decode"][0].seconds == pytest.approx(4 * 0.003, abs=0.05)
    assert span.resource["service.name"] == "prospero"
    assert span.resource["deployment.environment.name"] == "tests"
    assert span.resource["service.instance.id"]


@pytest.mark.parametrize("flags", ["01", "00"])
def test_the_client_s_trace_goes_on_here(server: Server, collector: Collector, flags: str) -> None:
    headers = HEADERS | {"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "vendor=1"}
    body = {"prompt": WORDS, "max_tokens": 1}
    answer = httpx.post(server.url + "/generate/text", json=body, headers=headers)
    request = answer.headers["x-request-id"]
    line = wait_until(lambda: re.search(rf"text id={request} .*", server.read_log()))
    assert f"trace_id={TRACE}" in line[0]
    if flags == "01":
        span, children = collector.trace_of(request)
        assert (span.trace, span.sent.parent_span_id.hex()) == (TRACE, PARENT)
        assert span.sent.trace_state == "vendor=1"
        check_within(span, children)
    else:
        traced(collector, post(server))  # which comes after it
        assert not [
            one
            for one in collector.spans
            if one.attributes.get("http.response.header.x-request-id") == [request]
        ]


def test_a_trace_that_is_no_one_s_is_not_gone_on_with(server: Server, collector: Collector) -> None:
    for given in (["nonsense"], [f"00-{'0' * 32}-{PARENT}-01"], [f"00-{TRACE}-{PARENT}-01"] * 2):
        headers = [("X-API-Key", SECRET), *(("traceparent", one) for one in given)]
        answer = httpx.get(server.url + "/models", headers=headers)
        span, children = traced(collector, answer)
        assert span.name == "GET /models"
        assert span.trace not in (TRACE, "0" * 32)
        assert span.sent.parent_span_id == b""
        assert children == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate/text", {"prompt": WORDS}),
        ("/v1/completions", {"prompt": [WORDS]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": WORDS}]}),
    ],
)
def test_a_stream(server: Server, collector: Collector, path: str, body: dict[str, Any]) -> None:
    with server.client(headers=HEADERS | {"X-Request-ID": path}) as client:
        read_events(client, path, {"stream": True, "max_tokens": 20, **body})
    span, children = collector.trace_of(path)
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["gen_ai.usage.output_tokens"] == 20
    assert span.attributes["gen_ai.operation.name"] == ("chat" if "chat" in path else "text_completion")
    assert list(children) == ["door", "queue", "prefill", "decode"]
    check_within(span, children)
    assert sum(one.seconds for [one] in children.values()) == pytest.approx(span.seconds, abs=0.1)


@pytest.mark.parametrize(("path", "field"), [("/generate/landscape", "sketch"), ("/segment", "photo")])
def test_a_picture(server: Server, collector: Collector, path: str, field: str) -> None:
    answer = httpx.post(server.url + path, files={field: png()}, headers=HEADERS).raise_for_status()
    span, children = traced(collector, answer)
    assert list(children) == ["door", "decode image", "queue", "engine", "encode image"]
    check_within(span, children)
    assert children["engine"][0].seconds >= 0.01
    assert span.attributes["prospero.images"] == 1
    assert span.attributes["gen_ai.request.model"] in ("fake-landscape", "fake-segmenter")


def test_errors_have_the_status_that_is_theirs(server: Server, collector: Collector) -> None:
    span, _ = traced(collector, post(server, temperature=-1))
    assert (span.attributes["http.response.status_code"], span.is_error) == (422, False)
    span, _ = traced(collector, httpx.get(server.url + "/nope", headers=HEADERS))
    assert (span.name, span.attributes["http.response.status_code"]) == ("GET unmatched", 404)
    span, _ = traced(collector, httpx.get(server.url + "/models"))
    assert (span.attributes["http.response.status_code"], span.is_error) == (401, False)
    assert "prospero.key" not in span.attributes
    span, children = traced(collector, post(server, prompt="explode"))
    assert (span.attributes["http.response.status_code"], span.is_error) == (500, True)
    assert span.attributes["error.type"] == children["engine"][0].attributes["error.type"] == "500"
    span, children = traced(collector, post(server, prompt="slow 0.5", timeout=0.1))
    assert (span.attributes["http.response.status_code"], span.is_error) == (504, True)
    assert children["engine"][0].is_error


@contextmanager
def hog(server: Server, request: str) -> Iterator[Iterator[bytes]]:
    """A stream that has begun, and goes on for 12 s if nobody leaves."""
    body = {"prompt": WORDS, "max_tokens": 4096, "stream": True}
    headers = HEADERS | {"X-Request-ID": request}
    with httpx.stream(
        "POST", server.url + "/generate/text", json=body, headers=headers, timeout=60
    ) as answer:
        lines = lines_of(answer.iter_bytes())
        next(lines)
        yield lines


def test_a_client_that_leaves_and_one_that_is_refused(server: Server, collector: Collector) -> None:
    with hog(server, "leaver"):
        span, children = traced(collector, post(server, n=2))  # a place for one of them
    assert (span.attributes["http.response.status_code"], span.is_error) == (429, False)
    assert children == {}
    span, children = collector.trace_of("leaver")
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (200, "499")
    assert span.is_error
    assert list(children) == ["door", "queue", "prefill", "decode"]
    assert [one.is_error for [one] in children.values()] == [False, False, False, True]
    check_within(span, children)


def test_a_worker_that_dies(server: Server, collector: Collector) -> None:
    with hog(server, "orphan") as lines:
        os.kill(worker_pid(server), signal.SIGKILL)
        assert b'"unavailable"' in b"".join(lines)
    server.wait_ready()
    span, children = collector.trace_of("orphan")
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (200, "503")
    assert children["decode"][0].attributes["error.type"] == "503"
    assert "failed=503" in wait_until(lambda: re.search(r"id=orphan .*", server.read_log()))[0]


def test_no_words_no_pictures_no_secrets(collector: Collector) -> None:
    """Of all that the tests before this have sent."""
    everything = b"".join(collector.bodies)
    assert b"fake-text" in everything
    assert b"alice" in everything
    for one in (WORDS, SECRET, "abcd", "PNG", TRACE):
        assert one.encode() not in everything


def test_polls_are_left_out_and_spans_are_counted(server: Server, collector: Collector) -> None:
    httpx.get(server.url + "/health")
    traced(collector, post(server))
    assert not [one for one in collector.spans if one.attributes.get("url.path") in ("/health", "/metrics")]
    wait_until(lambda: total(server, "prospero_trace_spans_total", outcome="sent") == len(collector.spans))
    assert total(server, "prospero_trace_spans_total", outcome="dropped") == 0


def test_a_collector_that_is_slow_or_away(tmp_path: Path) -> None:
    """Costs nobody anything, is told of once, and doesn't hold up the end for long."""
    sizes = {
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_BSP_MAX_QUEUE_SIZE": "40",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "40",
    }
    with running_collector() as collector:
        endpoint = {
            "PROSPERO_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }
        with fake_server(
            tmp_path, FAKE_KINDS="gpt", OTEL_EXPORTER_OTLP_TIMEOUT="1", **endpoint, **sizes
        ) as server:
            collector.status = 500

            def ask(count: int) -> None:
                for _ in range(count):
                    httpx.post(
                        server.url + "/generate/text", json={"prompt": WORDS, "max_tokens": 1}
                    ).raise_for_status()

            for _ in range(2):
                ask(3)
                wait_until(lambda: total(server, "prospero_trace_spans_total", outcome="dropped") % 15 == 0)
            dropped = wait_until(lambda: total(server, "prospero_trace_spans_total", outcome="dropped"))
            assert server.read_log().count("takes no traces") == 1
            collector.status = 200
            ask(1)
            wait_until(lambda: "takes traces again" in server.read_log())
            collector.delay = 30
            ask(30)  # of five spans each: there is room for a quarter, beside what is being sent
            assert total(server, "prospero_trace_spans_total", outcome="dropped") - dropped >= 150 - 80
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 6
            assert "Traceback" not in server.read_log()


def test_without_the_extra_an_endpoint_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['opentelemetry.sdk'] = None")
    started = subprocess.run(
        [sys.executable, "-m", "service", "--otlp-endpoint", "http://127.0.0.1:4318"],
        cwd=ROOT,
        env={**os.environ, "PROSPERO_DEVICE": "cpu", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 2
    assert started.stderr == (
        "prospero: --otlp-endpoint: traces need OpenTelemetry's SDK: pip install '.[otel]' in the checkout\n"
    )
