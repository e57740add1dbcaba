"""Where the tests of engines and of real servers run: on the CPU, or where PROSPERO_TEST_DEVICE says."""

from __future__ import annotations

import os

# Taken out: the server refuses what it doesn't know.
TEST_DEVICE = os.environ.pop("PROSPERO_TEST_DEVICE", "cpu")
