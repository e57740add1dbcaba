"""Where traces go by the settings and by OpenTelemetry's own variables, and what refuses to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings
from service.tracing import make_tracing

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def test_nothing_is_traced_without_an_endpoint() -> None:
    assert make_tracing(Settings()) is None
    assert make_tracing(Settings(otlp_endpoint="")) is None


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none"), (ENDPOINT, "")]
)
def test_what_switches_it_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    assert make_tracing(Settings()) is not None
    monkeypatch.setenv(name, value)
    assert make_tracing(Settings()) is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        (ENDPOINT, "collector:4318", f"{ENDPOINT}: no URL"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: no URL"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken here"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "OTEL_BSP_MAX_QUEUE_SIZE: -1 is no size"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 4096 is no size"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "few", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
    ],
)
def test_variables_that_can_t_be_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=complaint):
        make_tracing(Settings())


def test_a_setting_that_is_no_url() -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint"):
        Settings(otlp_endpoint="collector:4318")


def test_nothing_of_the_sdk_is_imported_unless_it_is_needed() -> None:
    """FastAPI imports OpenTelemetry's API itself; the rest costs memory and a third of a second."""
    program = """
import sys
import service.app
from service.settings import Settings
from service.tracing import make_tracing
assert make_tracing(Settings()) is None
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
