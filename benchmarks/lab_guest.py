"""``python -m benchmarks.lab_guest``: what two lab runs that train at full speed take from the endpoints.

Windows without and with the runs take turns, so that whatever else the machine does meets both alike; ratios
are medians over the pairs, with the least and the greatest beside them. Runs the real server on the bundled
checkpoints; what is counted is what its workers produced, read from /metrics.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from client.events import lines_of
from harness.probes import total
from harness.server import ROOT, Server, run_server

TEXT = {"prompt": "ROMEO:", "max_tokens": 200, "temperature": 0.8, "top_k": 40}
CPU_SECONDS = "prospero_lab_cpu_seconds_total"
SKETCH = ROOT / "docs/examples/lake.png"


class Guests:
    """Two lab runs with the default configuration, watched by viewers that read all they get."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.steps: dict[str, int] = {}
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Guests:
        for _ in range(2):
            run = (
                httpx.post(f"{self._server.url}/lab/runs", json={}, timeout=60)
                .raise_for_status()
                .json()["id"]
            )
            self.steps[run] = -1
            self._readers.append(threading.Thread(target=self._read, args=(run,), daemon=True))
            self._readers[-1].start()
        while (
            min(self.steps.values()) < 1
        ):  # the interpreter of the lab is part of the start, not of the window
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for run in self.steps:
            httpx.delete(f"{self._server.url}/lab/runs/{run}", timeout=60)
        for reader in self._readers:
            reader.join()

    def _read(self, run: str) -> None:
        with httpx.stream("GET", f"{self._server.url}/lab/runs/{run}/events", timeout=None) as response:
            for line in lines_of(response.iter_bytes()):
                if line.startswith(b'data: {"type":"frame"'):
                    self.steps[run] = json.loads(line.removeprefix(b"data: "))["step"]


@contextmanager
def load(clients: int, post: Any) -> Iterator[None]:
    """Keep so many clients calling ``post`` with a client of their own, one request after the other."""
    over = threading.Event()

    def work() -> None:
        with httpx.Client(timeout=120) as client:
            while not over.is_set():
                post(client).raise_for_status()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def rate(server: Server, metric: str, seconds: float) -> float:
    """How much ``metric`` grows in a second, over a window of ``seconds``."""
    time.sleep(1)
    first, began = total(server, metric), time.monotonic()
    time.sleep(seconds)
    return (total(server, metric) - first) / (time.monotonic() - began)


def compare(
    server: Server, name: str, metric: str, clients: int, post: Any, rounds: int, seconds: float
) -> None:
    """Print an endpoint's rate alone and beside two lab runs."""
    alone, beside, trained, cores = [], [], [], []
    with load(clients, post):
        for _ in range(rounds):
            alone.append(rate(server, metric, seconds))
            with Guests(server) as guests:
                before, began = sum(guests.steps.values()), time.monotonic()
                used = total(server, CPU_SECONDS)
                beside.append(rate(server, metric, seconds))
                passed = time.monotonic() - began
                trained.append((sum(guests.steps.values()) - before) / passed)
                cores.append((total(server, CPU_SECONDS) - used) / passed)
    ratios = [one / other for one, other in zip(beside, alone, strict=True)]
    print(
        f"{name:28} alone {median(alone):8.1f}/s   with two lab runs {median(beside):8.1f}/s   "
        f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})   "
        f"left for the lab {median(trained):.0f} steps/s on {median(cores):.2f} of a core",
        flush=True,
    )


def main() -> None:
    """Start a server, load it, print a line for each endpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8, help="length of a window")
    args = parser.parse_args()
    sketch = SKETCH.read_bytes()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_server(Path(folder) / "server.log", ["-m", "service"]) as server,
    ):

        def text(client: httpx.Client) -> httpx.Response:
            return client.post(f"{server.url}/generate/text", json=TEXT)

        def landscape(client: httpx.Client) -> httpx.Response:
            headers = {"Content-Type": "image/png"}
            return client.post(f"{server.url}/generate/landscape", content=sketch, headers=headers)

        tokens, images = "prospero_text_engine_tokens_total", "prospero_images_total"
        compare(server, "text, 8 clients, tokens", tokens, 8, text, args.rounds, args.seconds)
        compare(server, "landscape, 4 clients, images", images, 4, landscape, args.rounds, args.seconds)


if __name__ == "__main__":
    main()
