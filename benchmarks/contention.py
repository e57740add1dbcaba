"""What neighbours cost a stream: its time beside clients of several kinds over its time alone, in turns.

    python -m benchmarks.contention [--rounds 3] [--tokens 500] [--kinds long huge] [--url http://localhost:8000]

Each round streams the same text alone and beside four clients of each kind, who ask again as soon as they
have their answer. Beside the ratio stands the longest silence of the stream, which shows what blocks a step.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from client.events import lines_of
from harness.server import run_server

NUM_NEIGHBOURS = 4
VERSES = "Now is the winter of our discontent made glorious summer by this sun of York;\n"
LONG = (VERSES * 100)[:6000]
HUGE = "\N{GRINNING FACE}" * 32_768  # four tokens of the bundled model each
NEIGHBOURS: dict[str, dict[str, Any]] = {
    "long": {"prompt": LONG},
    "huge": {"prompt": HUGE},
    "short": {"prompt": VERSES},
    "choices": {"prompt": LONG, "n": 8},
    "scored": {"prompt": LONG, "prompt_logprobs": 5},
}


@dataclass
class Reading:
    """One reading of the stream, in seconds."""

    seconds: float
    silence: float  # the longest
    num_answers: int = 0  # that its neighbours had meanwhile


def read_stream(url: str, num_tokens: int) -> Reading:
    """The stream's time from its first event, when its own prompt has been read, to its last."""
    body = {"prompt": "ROMEO:", "seed": 1, "max_tokens": num_tokens, "stream": True}
    times = []
    with httpx.stream("POST", url + "/generate/text", json=body, timeout=600) as response:
        response.raise_for_status()
        times = [
            time.perf_counter() for line in lines_of(response.iter_bytes()) if line.startswith(b"data: {")
        ]
    silence = max(after - before for before, after in itertools.pairwise(times))
    return Reading(times[-1] - times[0], silence)


@contextmanager
def neighbours(url: str, body: dict[str, Any] | None) -> Iterator[list[int]]:
    """Clients that ask one after another; the list has an entry for each of their answers."""
    done, is_over = list[int](), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=600) as client:
            while not is_over.is_set():
                answer = client.post("/generate/text", json={"max_tokens": 4, "seed": 1, **(body or {})})
                done.append(answer.raise_for_status().status_code)

    threads = [threading.Thread(target=ask) for _ in range(NUM_NEIGHBOURS if body else 0)]
    for thread in threads:
        thread.start()
    time.sleep(0.5 if threads else 0)
    done.clear()
    try:
        yield done
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def measure(url: str, kinds: list[str], num_rounds: int, num_tokens: int) -> dict[str, list[Reading]]:
    """Rounds of one reading alone and one beside each kind."""
    readings: dict[str, list[Reading]] = {kind: [] for kind in ("alone", *kinds)}
    for _ in range(num_rounds):
        for kind, those in readings.items():
            with neighbours(url, NEIGHBOURS.get(kind)) as done:
                reading = read_stream(url, num_tokens)
                reading.num_answers = len(done)
            those.append(reading)
    return readings


def print_table(readings: dict[str, list[Reading]]) -> None:
    print("| beside | seconds | times alone (range) | longest silence, ms | neighbours' answers a second |")
    print("|---|---|---|---|---|")
    for kind, those in readings.items():
        ratios = [one.seconds / alone.seconds for one, alone in zip(those, readings["alone"], strict=True)]
        seconds = statistics.median(one.seconds for one in those)
        silence = 1000 * statistics.median(one.silence for one in those)
        rate = statistics.median(one.num_answers / one.seconds for one in those)
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"| {kind} | {seconds:.2f} | {spread} | {silence:.0f} | {rate:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", choices=NEIGHBOURS, default=list(NEIGHBOURS))
    parser.add_argument("--url", help="of a server that runs; one with the bundled checkpoints if absent")
    given = parser.parse_args()
    if given.url:
        print_table(measure(given.url, given.kinds, given.rounds, given.tokens))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        run_server(Path(folder) / "server.log", ["-m", "prospero", "serve"]) as server,
    ):
        print_table(measure(server.url, given.kinds, given.rounds, given.tokens))


if __name__ == "__main__":
    main()
