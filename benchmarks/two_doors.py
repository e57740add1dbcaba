"""What `/v1/completions` costs beside `/generate/text`: the same texts at both doors, in turns.

python -m benchmarks.two_doors [--rounds 9 --seconds 4 --clients 16]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare.client import Connection
from benchmarks.compare.load import Post, Record, closed_loop, exchange, run
from benchmarks.compare.statistics import median
from harness.server import run_server

DOORS = ("/generate/text", "/v1/completions")
MAX_TOKENS = 64
LIMIT = 0.97


class Client:
    """Asks for one text after another, and reads it without a look at it: events differ in length."""

    def __init__(self, url: str, stream: bool, seeds: Iterator[int]) -> None:
        self._url, self._stream, self._seeds = url, stream, seeds
        self._connection = Connection()

    async def ask(self, record: Record) -> None:
        sampling = {
            "temperature": 0.8,
            "max_tokens": MAX_TOKENS,
            "ignore_eos": True,
            "seed": next(self._seeds),
        }
        body = {"prompt": "ROMEO:", "stream": self._stream, **sampling}
        post = Post(self._url, json.dumps(body).encode())
        if await exchange(self._connection, post, lambda *_: None, record):
            record.amount = MAX_TOKENS

    def abort(self) -> None:
        self._connection.abort()


def rate(url: str, stream: bool, num_clients: int, seconds: float) -> float:
    """Tokens a second; RuntimeError if a request fails."""
    seeds = itertools.count()
    done = run(closed_loop([Client(url, stream, seeds) for _ in range(num_clients)], seconds))
    if done.errors:
        raise RuntimeError(f"{url}: {done.errors[0]}")
    return done.per_second


def compare(server: str, stream: bool, args: argparse.Namespace) -> float:
    """The second door's rate over the first's: the median of rounds in which both have a turn."""
    ratios, rates = [], []
    for number in range(args.rounds + 1):  # the first warms up
        order = DOORS if number % 2 else DOORS[::-1]
        found = {door: rate(server + door, stream, args.clients, args.seconds) for door in order}
        if number:
            ratios.append(found[DOORS[1]] / found[DOORS[0]])
            rates.append(found[DOORS[0]])
    middle = median(ratios)
    print(
        f"{'streams' if stream else 'whole':8} {median(rates):8.0f} tokens/s at {DOORS[0]}; {DOORS[1]}: "
        f"{middle:.3f} of that (rounds {min(ratios):.3f}–{max(ratios):.3f})",
        flush=True,
    )
    return middle


def main() -> int:
    """Exit status 1 if either is more than 3 % slower at the second door."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_server(Path(folder) / "server.log", ["-m", "service"]) as server,
    ):
        ratios = [compare(server.url, stream, args) for stream in (False, True)]
    return 0 if min(ratios) >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
