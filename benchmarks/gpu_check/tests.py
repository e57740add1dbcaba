"""Part 3: the tests that can run on the card, in groups side by side: servers take long to start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.part import Part

# The longest last: what the time ends first is waited for last.
GROUPS = {
    "refused": ["tests/live/test_on_device.py", "-k", "refused"],
    "seeds": ["tests/live/test_seeds_under_fire.py", "-m", "not slow"],
    "models": [
        "tests/models/gpt/test_device.py",
        "tests/models/gpt/test_device_drawing.py",
        "tests/models/landscape/test_engine.py",
        "tests/models/segmenter/test_engine.py",
    ],
    "live": ["tests/live/test_on_device.py", "-k", "not refused"],
}
TINY = {
    "models": ["tests/models/gpt/test_device_drawing.py::test_without_cuts_the_draw_is_the_same"],
    "live": ["tests/test_architecture.py::test_every_package_is_walked"],
}
# -vv, against the -q of pyproject.toml: who is stopped has said of each test how it went. -W default: another
# machine's other versions may warn of what this project's own do not.
PYTEST = [
    *("-m", "pytest", "-vv", "-rA", "--tb=short", "--durations=8"),
    *("--timeout=60", "-p", "no:cacheprovider", "-W", "default"),
]


def main() -> int:
    part = Part()
    environment = {**os.environ, "PROSPERO_TEST_DEVICE": part.device}
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, selected in (TINY if part.is_tiny else GROUPS).items():
        with log_of(part, name).open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, *PYTEST, *selected], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
    for name, run in running.items():
        part.section(name, partial(finish, run, log_of(part, name)))
    return part.exit_status() or int(any(run.returncode for run in running.values()))


def log_of(part: Part, name: str) -> Path:
    return part.folder / f"tests-{name}.log"


def finish(run: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Wait for a group; how it ended, and what didn't pass."""
    run.wait()
    output = log.read_text(errors="replace")
    print(output, flush=True)
    outcomes = re.findall(r"^(FAILED|ERROR) (.+)$", output, re.MULTILINE)
    return {
        "exit": run.returncode,
        "summary": output.strip().splitlines()[-1] if output.strip() else "",
        "not_passed": [f"{how} {what[:300]}" for how, what in outcomes],
    }


if __name__ == "__main__":
    sys.exit(main())
