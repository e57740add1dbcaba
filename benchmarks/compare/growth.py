"""Cost as work grows: with prompts' and answers' lengths, with slots, at start, with both loads at once."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.compare.fleet import MAX_CLIENTS, OURS, Fleet, Started, start
from benchmarks.compare.landscape import clients_for
from benchmarks.compare.load import Client, closed_loop, run
from benchmarks.compare.text import closed_asks, say, summary
from benchmarks.compare.text_apis import Ask
from benchmarks.compare.text_client import TextClient
from benchmarks.peers.install import ROOT
from harness.probes import descendants
from harness.server import free_port

LENGTH_CLIENTS = 8
PROMPT_LENGTHS = (16, 64, 128, 256, 512, 1024)
ANSWER_LENGTHS = (16, 50, 100, 200, 400, 800)
SLOTS = (1, 16, 64, 256)
LANDSCAPE_CLIENTS = 4


def fixed_asks(passage: str, prompt_length: int, answer_length: int) -> Iterator[Ask]:
    """Requests of one size."""
    chance = random.Random(prompt_length)
    for number in itertools.count():
        start_at = chance.randrange(len(passage) - prompt_length)
        yield Ask(passage[start_at : start_at + prompt_length], answer_length, number)


def measure_lengths(fleet: Fleet, passage: str, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Ours, streamed to eight clients: one length varies, the other is workload A's or short."""
    url = fleet.get(OURS, LENGTH_CLIENTS, stream=True).url

    def cell(prompt_length: int, answer_length: int) -> dict[str, Any]:
        fleet.settle()
        asks = fixed_asks(passage, prompt_length, answer_length)
        clients = [TextClient(url, OURS.api, asks, stream=True) for _ in range(LENGTH_CLIENTS)]
        found = {"prompt": prompt_length, "answer": answer_length}
        found |= summary(run(closed_loop(clients, seconds)))
        say(
            f"prompt {prompt_length:4} answer {answer_length:4}  first {found['first_p50']:.1f} ms  "
            f"{found['characters_per_second']:.0f} characters/s  {found['error'] or ''}"
        )
        return found

    return {
        "prompts": [cell(length, 50) for length in PROMPT_LENGTHS],
        "answers": [cell(32, length) for length in ANSWER_LENGTHS],
    }


def start_ours(**settings: str) -> Started:
    """A server of ours of its own, with settings; the caller stops it."""
    port = free_port()
    environment = {name: value.format(port=port) for name, value in OURS.environment.items()}
    command = OURS.command_line(port, MAX_CLIENTS, stream=False)
    return start(command, environment | settings, port, "ours alone")


def proportional_megabytes(pid: int) -> float:
    """A process tree's memory, what is shared counted in shares."""
    kilobytes = 0
    for one in (pid, *descendants(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def measure_slots(passage: str, slots: tuple[int, ...] = SLOTS) -> list[dict[str, Any]]:
    """Memory of the whole server, when every slot has been in use; and how long it took to be ready."""
    cells = []
    for count in slots:
        server = start_ours(PROSPERO_TEXT_SLOTS=str(count))
        try:
            before = proportional_megabytes(server.process.pid)
            asks = closed_asks(passage)
            clients = [TextClient(server.url, OURS.api, asks, stream=False) for _ in range(count)]
            done = run(closed_loop(clients, 0.0))
            cell = {
                "slots": count,
                "idle_megabytes": before,
                "used_megabytes": proportional_megabytes(server.process.pid),
                "start_seconds": server.seconds,
                "errors": len(done.errors),
            }
        finally:
            server.stop()
        cells.append(cell)
        say(f"{count} slots: {cell['used_megabytes']:.0f} MB, ready after {server.seconds:.1f} s")
    return cells


def forget_files(folder: Path) -> None:
    """Ask the system to drop a folder's files from memory; those that other processes use stay."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def measure_start(warm_starts: int) -> dict[str, list[float]]:
    """Seconds from the command to the first healthy answer: files read from disk, then from memory."""

    def once() -> float:
        server = start_ours()
        server.stop()
        return server.seconds

    libraries = Path(next(path for path in sys.path if path.endswith("site-packages")))
    for folder in (ROOT / "checkpoints", libraries):
        forget_files(folder)
    found = {"cold": [once()], "warm": [once() for _ in range(warm_starts)]}
    say(f"ready after {found['cold'][0]:.1f} s cold, {[round(one, 1) for one in found['warm']]} s warm")
    return found


def measure_together(fleet: Fleet, passage: str, rounds: int, seconds: float) -> list[dict[str, float]]:
    """Eight texts at a time alone, then beside four landscapes at a time, and so on in turn."""
    url = fleet.get(OURS, LENGTH_CLIENTS, stream=False).url
    cells = []
    for key in range(rounds):
        rates = {}
        for is_beside in (False, True):
            fleet.settle()
            asks = closed_asks(passage, key)
            texts = [TextClient(url, OURS.api, asks, stream=False) for _ in range(LENGTH_CLIENTS)]
            landscapes: list[Client] = [*clients_for(url, LANDSCAPE_CLIENTS)] if is_beside else []
            rates[is_beside] = run(_both(texts, landscapes, seconds))
        alone, (beside, images) = rates[False][0], rates[True]
        cells.append({"alone": alone, "beside": beside, "images_per_second": images, "ratio": alone / beside})
        say(f"text alone {alone:.0f} characters/s, beside landscapes {beside:.0f} ({images:.1f} images/s)")
    return cells


async def _both(texts: list[TextClient], landscapes: list[Client], seconds: float) -> tuple[float, float]:
    """Characters per second, and images per second in the same time."""
    beside = asyncio.create_task(closed_loop(landscapes, seconds)) if landscapes else None
    text = await closed_loop(texts, seconds)
    return text.per_second, (await beside).per_second if beside else 0.0
