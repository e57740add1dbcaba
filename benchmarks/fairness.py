"""What one API key's flood does to another's first token: beside it, and alone, in turns.

python -m benchmarks.fairness [--rounds 5 --seconds 10 --flood 256 --fake]

The flood asks for long streams from more clients than there are places, and waits a second when it is
refused. It runs in a process of its own, of the lowest priority: its clients would be other machines, whose
processors are not the server's. The other key asks for one short stream after another.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from benchmarks.compare.client import Connection, request_head
from benchmarks.compare.load import run
from benchmarks.compare.statistics import median, percentile
from harness.server import run_server

KEYS = '[flood]\nkey = "of-the-flood"\n[other]\nkey = "of-the-other"\n'
LIMIT = 2.0
PAUSE_SECONDS = (0.01, 0.05)  # between two requests of the other key
REFUSED_SECONDS = 1.0


async def stream(connection: Connection, url: str, key: str, seed: int, max_tokens: int) -> tuple[int, float]:
    """The status, and the seconds until the first event."""
    wanted = {"prompt": "ROMEO:", "stream": True, "max_tokens": max_tokens, "ignore_eos": True, "seed": seed}
    body = json.dumps(wanted).encode()
    host, head = request_head(url + "/generate/text", len(body))
    head = head.removesuffix(b"\r\n") + f"X-API-Key: {key}\r\n\r\n".encode()
    first: list[float] = []
    began = time.perf_counter()
    status = await connection.post(host, head, body, lambda _, now: first.append(now) if not first else None)
    return status, (first or [time.perf_counter()])[0] - began


async def ask_for_long(url: str, num_clients: int, num_tokens: int, done: Synchronized[int]) -> None:
    """The flood: as many clients as that, for ever."""
    seeds = itertools.count()

    async def client() -> None:
        connection = Connection()
        while True:
            status, _ = await stream(connection, url, "of-the-flood", next(seeds), num_tokens)
            if status == 200:
                done.value += 1
            else:
                await asyncio.sleep(REFUSED_SECONDS)

    await asyncio.gather(*(client() for _ in range(num_clients)))


def _run_flood(url: str, num_clients: int, num_tokens: int, done: Synchronized[int]) -> None:
    os.setsid()  # Linux weighs sessions before it weighs processes
    os.nice(19)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
    run(ask_for_long(url, num_clients, num_tokens, done))


@contextmanager
def flood(url: str, args: argparse.Namespace) -> Iterator[Synchronized[int]]:
    """A flood while the block runs; how many texts it has been given."""
    context = multiprocessing.get_context("spawn")
    done: Synchronized[int] = context.Value("q", 0)
    process = context.Process(target=_run_flood, args=(url, args.flood, args.flood_tokens, done))
    process.start()
    try:
        time.sleep(args.settle)
        yield done
    finally:
        process.kill()
        process.join()


async def first_tokens(url: str, seconds: float) -> list[float]:
    """What the other key waits for its first tokens, in milliseconds."""
    chance, connection = random.Random(0), Connection()
    found: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        status, first = await stream(connection, url, "of-the-other", len(found), 16)
        if status != 200:
            raise RuntimeError(f"the other key was answered {status}")
        found.append(first * 1000)
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
    return found


def one_round(url: str, args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Milliseconds to first tokens, alone and beside a flood."""
    alone = run(first_tokens(url, args.seconds))
    with flood(url, args) as done:
        before, began = done.value, time.perf_counter()
        beside = run(first_tokens(url, args.seconds))
        rate = (done.value - before) * args.flood_tokens / (time.perf_counter() - began)
    time.sleep(1.0)  # what it left is given up
    print(
        f"{compared(alone, beside)}; the flood: {rate:.0f} tokens/s; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return alone, beside


def compared(alone: list[float], beside: list[float]) -> str:
    told = []
    for percent in (50, 99):
        quiet, loud = percentile(alone, percent), percentile(beside, percent)
        told.append(f"p{percent} {quiet:6.1f} → {loud:6.1f} ms ({loud / quiet:.2f})")
    return "  ".join([*told, f"of {len(alone)} and {len(beside)}"])


def main() -> int:
    """Exit status 1 if the 99th percentile is more than twice the quiet one, each of all rounds' requests.

    Of one round, the 99th percentile is about its second longest wait, which says more about the machine.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--settle", type=float, default=4.0, help="seconds for the flood to rise")
    parser.add_argument("--flood", type=int, default=256, help="clients")
    parser.add_argument("--flood-tokens", type=int, default=400, help="of each of their texts")
    parser.add_argument("--fake", action="store_true", help="engines that only count")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.toml"
        keys.write_text(KEYS)
        arguments = ["-m", "harness.fake_server", folder] if args.fake else ["-m", "service"]
        with run_server(
            Path(folder) / "server.log", arguments, {"PROSPERO_API_KEYS_FILE": str(keys)}
        ) as server:
            one = partial(one_round, server.url, args)
            rounds = [one() for _ in range(args.rounds)]
    alone, beside = ([one for times in turns for one in times] for turns in zip(*rounds, strict=True))
    print(f"all rounds: {compared(alone, beside)}")
    ratios = [percentile(loud, 99) / percentile(quiet, 99) for quiet, loud in rounds]
    print(f"p99 in the median round: {median(ratios):.2f} times ({min(ratios):.2f}–{max(ratios):.2f})")
    return 0 if percentile(beside, 99) <= LIMIT * percentile(alone, 99) else 1


if __name__ == "__main__":
    sys.exit(main())
