"""Runs the two pods of the chart's training Job as containers of one network: training on two machines.

One is killed on the way. Then the other must end, and both, started again as a Job's pods are, must go on and
come to the losses of one process. ``make check-chart`` runs it. Needs the image prospero-train:cpu.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.check_chart import manifests
from deploy.run_pod import as_arguments, docker, expect

NUM_STEPS, TOLERANCE = 60, 1e-4  # nats; sums are taken in another order
SETTINGS = ("dropout=0", f"steps={NUM_STEPS}", "eval_every=30", "save_every=5")
ARGUMENTS = ["--preset", "tiny", "--threads", "1", "--data", "data/words.txt"]
ARGUMENTS += [word for setting in SETTINGS for word in ("--set", setting)]
VALUES = {"training": {"enabled": True, "nodes": 2, "existingClaim": "files", "args": ARGUMENTS}}
NETWORK = "prospero-check-training"
SECONDS = 400.0


def fill(folder: Path) -> None:
    """What the claim holds at first."""
    chance = random.Random(0)
    for name in ("runs", "data", "checkpoints"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)  # in a cluster fsGroup sees to that
    words = "".join(chance.choice(["the ", "king ", "is ", "dead\n"]) for _ in range(12_000))
    (folder / "data" / "words.txt").write_text(words)
    folder.chmod(0o755)


def start(job: dict[str, Any], folder: Path, rank: int) -> str:
    """The pod of one rank, by the name that the headless Service gives it; its container's id."""
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    host = f"{job['metadata']['name']}-{rank}"
    names = [f"--network={NETWORK}", f"--hostname={host}", f"--network-alias={host}.{spec['subdomain']}"]
    words: list[str] = container["command"] + container["args"]
    environment = ["--env", f"JOB_COMPLETION_INDEX={rank}", f"--entrypoint={words[0]}"]
    arguments = as_arguments(spec, container, folder)
    return docker("run", "--detach", *names, *arguments, *environment, container["image"], *words[1:])


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {SECONDS} s")
        time.sleep(0.5)


def states(pods: list[str]) -> list[str]:
    """running, or what it exited with."""
    form = "--format={{if .State.Running}}running{{else}}{{.State.ExitCode}}{{end}}"
    return [docker("inspect", form, one) for one in pods]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def alone(folder: Path, image: str) -> list[float]:
    """The losses of one process."""
    mounts = [f"--volume={folder / name}:/app/{name}" for name in ("runs", "data", "checkpoints")]
    docker("run", "--rm", *mounts, image, "text", "--run", "runs/alone", *ARGUMENTS)
    return losses(folder / "runs" / "alone")


def main() -> int:
    (job,) = (one for one in manifests(VALUES) if one["kind"] == "Job")
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fill(folder)
        docker("network", "create", NETWORK)
        stack.callback(docker, "network", "rm", NETWORK)
        pods: list[str] = []
        stack.callback(lambda: docker("rm", "--force", *pods))
        pods += [start(job, folder, rank) for rank in range(2)]
        try:
            run = folder / "runs" / "text"
            wait_until(lambda: (run / "state.pt").exists(), "a first state")
            docker("kill", pods[1])
            wait_until(lambda: "running" not in states(pods), "the end of the pod that is left")
            expect([True, True], [one != "0" for one in states(pods)], "both have failed")
            docker("start", *pods)
            wait_until(lambda: "running" not in states(pods), "the end of the run")
            expect(["0", "0"], states(pods), "exit statuses, started again")
            expect(True, "in 2 processes" in docker("logs", pods[0]), "said to be in 2 processes")
            shared, lone = losses(run), alone(folder, image)
            expect(len(lone), len(shared), "lines of the log")
            apart = max(abs(one - other) for one, other in zip(shared, lone, strict=True))
            print(f"from {lone[0]:.4f} to {lone[-1]:.4f} nats; at most {apart:.1e} from one process's")
            if apart > TOLERANCE:
                raise SystemExit("the losses are others")
        except SystemExit:
            print(*(docker("logs", "--tail=30", one) for one in pods), sep="\n", file=sys.stderr)
            raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
