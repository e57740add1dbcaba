"""A request's record: whose id it bears, and what of it has a place in the log."""

from __future__ import annotations

import logging

import pytest

from service.http.request_log import RequestLog, RequestRecord
from service.metrics import Metrics

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_well_formed_id_and_trace_are_kept() -> None:
    record = RequestRecord.of_headers({b"x-request-id": b"mine-1", b"traceparent": TRACE.encode()})
    assert (record.id, record.traceparent) == ("mine-1", TRACE)


@pytest.mark.parametrize("given", [b"", b"two words", b"x" * 129, "\u00fc".encode()])
def test_any_other_id_is_replaced(given: bytes) -> None:
    record = RequestRecord.of_headers({b"x-request-id": given, b"traceparent": b"no trace"})
    assert (len(record.id), record.traceparent) == (32, None)


def test_the_line_has_what_there_is_in_order(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    request_log = RequestLog(metrics, {"/a": ()})
    record = RequestRecord("1", prompt="", tokens=3, queue_s=0.0, engine_s=0.5)
    with caplog.at_level(logging.INFO, "prospero.http"):
        request_log.began()
        assert metrics.in_flight == 1
        request_log.ended({"method": "POST", "path": "/p/a"}, "/a", 200, 0.12345, record)
    assert metrics.in_flight == 0
    (line,) = caplog.records
    assert line.getMessage() == "POST /p/a"
    assert list(line.fields.items()) == [  # type: ignore[attr-defined]
        *(("id", "1"), ("route", "/a"), ("status", 200), ("seconds", 0.1235)),
        *(("prompt", ""), ("tokens", 3), ("queue_s", 0.0), ("engine_s", 0.5)),
    ]


@pytest.mark.parametrize(("polls", "level"), [({"/a"}, logging.DEBUG), (set(), logging.INFO)])
def test_polls_are_for_those_who_debug_unless_asked_for(
    polls: set[str], level: int, caplog: pytest.LogCaptureFixture
) -> None:
    request_log = RequestLog(Metrics(), {"/a": ()}, frozenset(polls))
    with caplog.at_level(logging.DEBUG, "prospero.http"):
        request_log.began()
        scope = {"method": "GET", "path": "/a", "client": ("192.0.2.7", 4711)}
        request_log.ended(scope, "/a", 503, 0.1, RequestRecord("1"))
    (line,) = caplog.records
    assert (line.levelno, line.fields["client"]) == (level, "192.0.2.7")  # type: ignore[attr-defined]
