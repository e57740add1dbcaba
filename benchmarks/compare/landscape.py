"""Landscapes over HTTP, and the generators that others would run instead."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import httpx
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.compare.client import Connection
from benchmarks.compare.fleet import NUM_CORES, OURS, Fleet
from benchmarks.compare.load import Post, Record, closed_loop, exchange, run
from benchmarks.compare.statistics import percentile
from benchmarks.compare.text import say
from benchmarks.peers.install import PEERS, ROOT

SKETCH = ROOT / "docs" / "examples" / "lake.png"
CLIENTS = (1, 4, 16)
FORWARD = "prospero_image_forward_seconds"


class LandscapeClient:
    """Sends the same sketch again and again."""

    def __init__(self, url: str, sketch: bytes) -> None:
        self._post = Post(url + "/generate/landscape", sketch, "image/png")
        self._connection = Connection()

    async def ask(self, record: Record) -> None:
        record.wanted = 1
        body = bytearray()
        if await exchange(self._connection, self._post, lambda data, _: body.extend(data), record):
            record.amount = 1
            if not body.startswith(b"\x89PNG"):
                record.error = "not a PNG"

    def abort(self) -> None:
        self._connection.abort()


def clients_for(url: str, num_clients: int) -> list[LandscapeClient]:
    """Clients whose sketch is as large as the pictures that they ask for."""
    size, file = image_size(url), io.BytesIO()
    Image.open(SKETCH).resize((size, size), Image.Resampling.NEAREST).save(file, "PNG")
    sketch = file.getvalue()
    return [LandscapeClient(url, sketch) for _ in range(num_clients)]


def forward_totals(url: str) -> tuple[float, float]:
    """Seconds that the landscape worker has spent in forwards, and how many there were."""
    name = landscape_model(url)["name"]
    text = httpx.get(url + "/metrics", timeout=20).raise_for_status().text
    totals = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in (f"{FORWARD}_sum", f"{FORWARD}_count") and sample.labels["model"] == name
    }
    return totals.get(f"{FORWARD}_sum", 0.0), totals.get(f"{FORWARD}_count", 0.0)


def image_size(url: str) -> int:
    """The side of the shipped landscape model's pictures, in pixels."""
    return int(landscape_model(url)["details"]["image_size"])


def landscape_model(url: str) -> dict[str, Any]:
    """What the server says of its landscape model."""
    models = httpx.get(url + "/models", timeout=20).raise_for_status().json()["models"]
    found: dict[str, Any] = next(one for one in models if one["kind"] == "landscape")
    return found


def measure_ours(fleet: Fleet, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A closed loop at each number of clients, round after round."""
    url = fleet.get(OURS, 64, stream=False).url
    run(closed_loop(clients_for(url, 1), 0.5))
    cells = []
    for key in range(rounds):
        for num_clients in CLIENTS:
            fleet.settle()
            before = forward_totals(url)
            done = run(closed_loop(clients_for(url, num_clients), seconds))
            after = forward_totals(url)
            whole = [1e3 * (one.ended_at - one.asked_at) for one in done.records if one.ended_at is not None]
            forward = 1e3 * (after[0] - before[0]) / max(1.0, after[1] - before[1])
            cell = {
                "round": key,
                "clients": num_clients,
                "images_per_second": done.per_second,
                "whole_p50": percentile(whole, 50),
                "whole_p99": percentile(whole, 99),
                "whole_mean": sum(whole) / len(whole),
                "forward_mean": forward,
                "load_cpu": done.cpu_share,
                "errors": len(done.errors),
            }
            cells.append(cell)
            say(
                f"landscape c={num_clients:<3} {done.per_second:6.2f} images/s  "
                f"p50 {cell['whole_p50']:.0f} ms  forward {forward:.0f} ms  {done.errors[:1] or ''}"
            )
    return cells


def can_compile() -> bool:
    """Whether `make bench-peers` has compiled the peers' generators: it takes minutes."""
    return shutil.which("c++") is not None and (PEERS / "landscape" / "installed").exists()


def measure_peers(sizes: list[int], rounds: int, with_compiled: bool) -> dict[str, dict[str, list[float]]]:
    """Seconds per image of each peer's generator in each form, in a process of its own on all cores."""
    command = [sys.executable, "-m", "benchmarks.landscape_peers", "--rounds", str(rounds)]
    command += ["--size", *map(str, sizes), *(["--compile"] if with_compiled else [])]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(NUM_CORES),
        "TORCHINDUCTOR_CACHE_DIR": str(PEERS / "landscape" / "inductor"),
    }
    pipe = subprocess.PIPE
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=pipe, text=True, check=True, timeout=400)
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    for name, forms in found.items():
        say(f"{name:14} " + "  ".join(f"{form} {min(times):.2f} s" for form, times in forms.items()))
    return found
