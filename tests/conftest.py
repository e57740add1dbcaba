"""What all tests share: OpenMP threads that sleep while they wait, as in the server's workers; Ctrl-C."""

from __future__ import annotations

import signal

from harness.device import TEST_DEVICE
from service.settings import prepare_workers

prepare_workers()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in a shell's background, which programs inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"device: {TEST_DEVICE} (PROSPERO_TEST_DEVICE)"
