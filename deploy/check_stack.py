"""Proves stack.yml and docker-compose.scale.yml on a real Docker engine: `make check-stack`.

In a swarm of this one machine, under load: every replica is replaced, then one is killed. An update may lose
nothing; the kill, only what was asked before it, and so may have been with the killed process. Then three
replicas under compose. Port 8000 (or PORT) must be free. Needs the images prospero:cpu and
haproxy:3.0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from deploy.replica_load import Load

ROOT = Path(__file__).resolve().parent.parent
PORT = os.environ.get("PORT", "8000")
URL = f"http://127.0.0.1:{PORT}"
STACK, SECRET, KEY = "prospero-check", "prospero_keys", "of-the-check"
SERVICE = f"{STACK}_prospero"
NUM_CLIENTS = 6
READY_SECONDS = 300.0
COMPOSE = ("compose", "-p", STACK, "-f", "docker-compose.yml", "-f", "docker-compose.scale.yml")


def docker(*arguments: str, given: str | None = None) -> str:
    environment = os.environ | {"PORT": PORT}
    run = subprocess.run(
        ["docker", *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"docker {' '.join(arguments)}: {run.stdout}{run.stderr}")
    return run.stdout.strip()


def containers() -> list[str]:
    """The running replicas' ids."""
    return docker("ps", "--quiet", "--filter", f"name={STACK}[-_]prospero").split()


@contextmanager
def stack() -> Iterator[None]:
    """The stack in a swarm, which is left again if it was begun for this."""
    is_ours = docker("info", "--format={{.Swarm.LocalNodeState}}") == "inactive"
    if is_ours:
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    docker("secret", "create", SECRET, "-", given=f'[check]\nkey = "{KEY}"\n')
    try:
        docker("stack", "deploy", "--detach=true", "--resolve-image=never", "-c", "deploy/stack.yml", STACK)
        yield
    finally:
        docker("stack", "rm", "--detach=false", STACK)
        while docker("ps", "--quiet", "--filter", f"name={STACK}"):
            time.sleep(1)
        docker("secret", "rm", SECRET)
        if is_ours:
            docker("swarm", "leave", "--force")


@contextmanager
def scaled(num_replicas: int) -> Iterator[None]:
    """The service and its balancer under compose."""
    services = ("prospero", "balancer")
    docker(*COMPOSE, "up", "--detach", "--no-build", "--scale", f"prospero={num_replicas}", *services)
    try:
        yield
    finally:
        docker(*COMPOSE, "down", "--volumes", "--timeout", "20")


def wait_for(num_replicas: int, seconds: float = READY_SECONDS) -> None:
    """Until so many replicas are well, and the balancer has found one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        states = [docker("inspect", "--format={{.State.Health.Status}}", one) for one in containers()]
        if states.count("healthy") >= num_replicas and is_served():
            return
        time.sleep(1)
    served = "an answer" if is_served() else "no answer"
    raise SystemExit(f"not {num_replicas} replicas within {seconds} s: {states}, and {served} at {URL}")


def is_served() -> bool:
    try:
        return httpx.get(f"{URL}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def settle(load: Load, what: str, num_replicas: int, since: float = 0.0) -> None:
    """Once all is well again: SystemExit if an answer was wrong, or one asked after ``since`` is lost."""
    wait_for(num_replicas)
    time.sleep(5)
    print(f"{what}: {load.books}", flush=True)
    if load.books.wrong or load.books.lost_after(since):
        raise SystemExit(f"{what}: requests were lost")


def check_stack() -> None:
    headers = {"X-API-Key": KEY}
    with stack():
        wait_for(2)
        if httpx.post(f"{URL}/generate/text", json={"prompt": "a", "max_tokens": 1}).status_code != 401:
            raise SystemExit("answers without a key")
        before = set(containers())
        with Load(URL, headers, NUM_CLIENTS) as load:
            docker("service", "update", "--force", "--detach=false", SERVICE)
            settle(load, "every replica replaced", 2)
        if before & set(containers()):
            raise SystemExit(f"not replaced: {before & set(containers())}")
        with Load(URL, headers, NUM_CLIENTS) as load:
            time.sleep(5)
            docker("kill", "--signal=KILL", containers()[0])
            settle(load, "a replica killed", 2, since=time.monotonic())
        if len(load.books.lost) > NUM_CLIENTS:
            raise SystemExit("more was lost than was under way")


def check_compose() -> None:
    with scaled(3):
        wait_for(3)
        with Load(URL, {}, NUM_CLIENTS) as load:
            time.sleep(10)
            settle(load, "three replicas under compose", 3)
        served = [docker("exec", one, "python", "-c", COUNT) for one in containers()]
        print(f"texts answered by each: {served}")
        if len(served) != 3 or "0" in served:
            raise SystemExit("not all of them serve")


# What a replica itself has counted.
COUNT = """
from urllib.request import urlopen
lines = urlopen("http://127.0.0.1:8000/metrics").read().decode().splitlines()
ours = [one for one in lines if one.startswith("prospero_http_requests_total{")]
print(sum(int(float(one.split()[-1])) for one in ours if '"/generate/text"' in one and 'status="200"' in one))
"""


def main() -> int:
    check_stack()
    check_compose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
