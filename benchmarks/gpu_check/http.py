"""Part 2: a real server on the card, and clients: characters and pictures a second, latencies."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.compare import text_apis
from benchmarks.compare.landscape import SKETCH, LandscapeClient
from benchmarks.compare.load import closed_loop, run
from benchmarks.compare.statistics import percentile
from benchmarks.compare.text import PASSAGE, closed_asks, summary
from benchmarks.compare.text_client import TextClient
from benchmarks.gpu_check.part import Part
from harness.server import Server, run_server, starting_fake_server


def text(num_clients: int, stream: bool, server: Server, seconds: float) -> dict[str, Any]:
    asks = closed_asks(PASSAGE.read_text(), seed=num_clients)
    clients = [TextClient(server.url, text_apis.PROSPERO, asks, stream) for _ in range(num_clients)]
    found = summary(run(closed_loop(clients, seconds)))
    print(num_clients, stream, found, flush=True)
    return {"clients": num_clients, "stream": stream, **found}


def pictures(num_clients: int, server: Server, seconds: float) -> dict[str, Any]:
    file = io.BytesIO()
    Image.open(SKETCH).resize((256, 256), Image.Resampling.NEAREST).save(file, "PNG")
    clients = [LandscapeClient(server.url, file.getvalue()) for _ in range(num_clients)]
    done = run(closed_loop(clients, seconds))
    whole = [1e3 * (one.ended_at - one.asked_at) for one in done.records if one.ended_at is not None]
    found = {
        "clients": num_clients,
        "images_per_second": done.per_second,
        "p50_ms": percentile(whole, 50),
        "p99_ms": percentile(whole, 99),
        "errors": len(done.errors),
        "error": done.errors[0] if done.errors else None,
    }
    print(found, flush=True)
    return found


# What there are goals for comes first.
LOADS: dict[str, Callable[[Server, float], dict[str, Any]]] = {
    "text_512_whole": partial(text, 512, False),
    "pictures_1": partial(pictures, 1),
    "pictures_16": partial(pictures, 16),
    "text_1_streamed": partial(text, 1, True),
    "text_512_streamed": partial(text, 512, True),
    "text_64_streamed": partial(text, 64, True),
    "pictures_64": partial(pictures, 64),
    "text_1_whole": partial(text, 1, False),
}
TINY_LOADS = {"text_4_whole": partial(text, 4, False), "pictures_1": partial(pictures, 1)}


def start(folder: Path, settings: dict[str, str], is_tiny: bool) -> AbstractContextManager[Server]:
    """The server as it is, or, to rehearse, around engines that only pretend."""
    if is_tiny:
        return starting_fake_server(folder, **settings)
    return run_server(folder / "server.log", ["-m", "service"], settings, wait=False)


def main() -> int:
    part = Part()
    tiny = part.is_tiny
    seconds = 0.3 if tiny else 3.0
    settings = {
        "PROSPERO_DEVICE": part.device,
        "PROSPERO_TEXT_SLOTS": "512",
        "PROSPERO_TEXT_QUEUE": "1024",
        "PROSPERO_LAB_RUNS": "0",
        "PROSPERO_LOG_LEVEL": "warning",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        start(Path(folder), settings, tiny) as server,
    ):
        try:
            patience = 240 if tiny else 50
            if part.section("start", lambda: {"ready_seconds": server.wait_ready(patience)}) is None:
                return 1
            part.section("warm", lambda: text(4, False, server, seconds / 10))
            for name, load in (TINY_LOADS if tiny else LOADS).items():
                part.section(name, partial(load, server, seconds))
        finally:
            print(server.read_log()[-20_000:], flush=True)
    return part.exit_status()


if __name__ == "__main__":
    sys.exit(main())
