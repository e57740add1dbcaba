"""What all tests share: OpenMP threads that sleep while they wait, as the server sets for its workers."""

from __future__ import annotations

from harness.device import TEST_DEVICE
from service.settings import prepare_workers

prepare_workers()


def pytest_report_header() -> str:
    return f"device: {TEST_DEVICE} (PROSPERO_TEST_DEVICE)"
