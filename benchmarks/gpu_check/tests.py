"""Part 2: the tests that can run on the card, the models' beside the servers'."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from typing import Any

from benchmarks.gpu_check.part import Part

GROUPS = {
    "models": [
        "tests/models/gpt/test_device.py",
        "tests/models/gpt/test_device_drawing.py",
        "tests/models/landscape/test_engine.py",
        "tests/models/segmenter/test_engine.py",
    ],
    "live": ["tests/live/test_on_device.py", "tests/live/test_seeds_under_fire.py"],
}
TINY = {
    "models": ["tests/models/gpt/test_device_drawing.py::test_without_cuts_the_draw_is_the_same"],
    "live": ["tests/test_architecture.py::test_every_package_is_walked"],
}


def main() -> int:
    part = Part()
    environment = {**os.environ, "PROSPERO_TEST_DEVICE": part.device}
    running = {}
    for name, paths in (TINY if part.is_tiny else GROUPS).items():
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "--tb=short",
            "--timeout=60",
            "-p",
            "no:cacheprovider",
        ]
        # Another machine's other versions may warn of what this project's own do not.
        command += ["-W", "default"]
        command += ["--durations=8", *paths]
        running[name] = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(name: str) -> dict[str, Any]:
        output, _ = running[name].communicate()
        print(output, flush=True)
        outcomes = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED) (.+)$", output, re.MULTILINE)
        return {
            "exit": running[name].returncode,
            "summary": output.strip().splitlines()[-1] if output.strip() else "",
            "not_passed": [
                f"{how} {what[:300]}" for how, what in outcomes if how not in ("PASSED", "SKIPPED")
            ],
        }

    for name in running:
        part.section(name, partial(finish, name))
    return part.exit_status() or int(any(one.returncode for one in running.values()))


if __name__ == "__main__":
    sys.exit(main())
