"""``make bench-transport``: what the serving core costs, with engines that do nothing, beside two others.

Ours, LitServe as shipped and bare FastAPI take turns, round after round, so that a busy machine slows all of
them; ratios are medians over the rounds. Each promise is printed with what was measured.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.compare.statistics import percentile
from benchmarks.streams import Streams, read_streams
from benchmarks.wrk import Report, wrk
from harness.probes import cpu_seconds, descendants, post_raw, running, wait_until, waiting
from harness.server import ROOT, Server, fake_server, free_port

ONE_TOKEN = {"prompt": "a", "max_tokens": 1, "seed": 0}
STREAMS, MAX_TOKENS = 64, 1000


@contextmanager
def opponent(kind: str) -> Iterator[str]:
    """The URL of a running opponent."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.opponents", kind, str(port)]
    # A session of its own, as ours has: Linux shares the processors out among sessions.
    process = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.post(url + "/generate/text", json=ONE_TOKEN, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, seconds=60, what=kind)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def verdict(what: str, value: str, holds: bool) -> None:
    print(f"  {'ok  ' if holds else 'MISS'} {what}: {value}", flush=True)


def compare_requests(rounds: int, seconds: float, ours: Server) -> None:
    """Promise 1, first half: requests per second at 8 clients, and latency at one."""
    print(f"\nOne request, one token, an engine that takes no time ({rounds} rounds of {seconds:g} s)")
    with opponent("fastapi") as fastapi, opponent("litserve") as litserve:
        urls = {"ours": ours.url, "bare FastAPI": fastapi, "LitServe as shipped": litserve}
        reports: dict[tuple[str, int], list[Report]] = {}
        for _ in range(rounds):
            for clients in (1, 8, 32):
                for name, url in urls.items():
                    report = wrk(url + "/generate/text", clients, seconds, ONE_TOKEN)
                    assert report.errors == report.refused == 0, (name, report)
                    reports.setdefault((name, clients), []).append(report)
    print(f"  {'':22}{'c=1':>24}{'c=8':>24}{'c=32':>24}   (requests/s, p50, p99 in ms)")
    for name in urls:
        cells = []
        for clients in (1, 8, 32):
            many = reports[name, clients]
            rate, p50, p99 = (
                median(getattr(one, key) for one in many) for key in ("per_second", "p50", "p99")
            )
            cells.append(f"{rate:9.0f} {p50:6.2f} {p99:7.2f}")
        print(f"  {name:22}" + "".join(cells))
    for name in ("ours", "LitServe as shipped"):
        pairs = zip(reports[name, 8], reports["bare FastAPI", 8], strict=True)
        ratio = median(one.per_second / bare.per_second for one, bare in pairs)
        if name == "ours":
            verdict("requests/s at 8 clients >= 0.5x bare FastAPI's", f"{ratio:.2f}x", ratio >= 0.5)
        else:
            print(f"       LitServe as shipped: {ratio:.2f}x")
    pairs = zip(reports["ours", 1], reports["bare FastAPI", 1], strict=True)
    extra = median(one.p50 - bare.p50 for one, bare in pairs)
    verdict("p50 at one client <= 1 ms on top of bare FastAPI's", f"{extra:+.2f} ms", extra <= 1)


def _show_streams(name: str, runs: list[Streams]) -> tuple[float, float, float]:
    rate = median(one.num_tokens / one.seconds for one in runs)
    gap = median(percentile(one.gaps, 99) for one in runs)
    first = median(percentile(one.firsts, 50) for one in runs)
    print(f"  {name:22}{rate:9.0f} tokens/s, gaps p99 {gap:6.1f} ms, first event p50 {first:6.1f} ms")
    return rate, gap, first


def compare_streams(rounds: int, seconds: float, ours: Server) -> None:
    """Promise 1, second half; bare FastAPI sends as many events on a timer: what the machine gives today."""
    print(f"\n{STREAMS} streams at a time, steps of 3 ms ({rounds} rounds of {seconds:g} s)")
    with opponent("fastapi") as fastapi:
        runs, bare = [], []
        for _ in range(rounds):
            runs.append(read_streams(ours.url + "/generate/text", STREAMS, MAX_TOKENS, seconds))
            bare.append(read_streams(fastapi + "/stream", STREAMS, MAX_TOKENS, seconds))
    _show_streams("bare FastAPI, a timer", bare)
    rate, gap, first = _show_streams("ours", runs)
    verdict("tokens/s >= 20,000 (21,333 if a step cost nothing else)", f"{rate:.0f}", rate >= 20_000)
    verdict("p99 gap between events <= 30 ms", f"{gap:.1f} ms", gap <= 30)
    verdict("first token p50 <= 10 ms", f"{first:.1f} ms", first <= 10)


def resident_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def refusals(url: str, connections: int, seconds: float) -> Report:
    """One run, once the one before is over: whoever serves still answers requests whose clients have left.

    Else half of 1,000 clients connect while the others are served, and p99 is a second, whoever serves.
    """
    time.sleep(1)
    return wrk(url, connections, seconds, ONE_TOKEN)


def warm_up(url: str, pid: int, seconds: float) -> int:
    """Bring a server to its fullest moment, whose memory it keeps; return kB.

    How many of 1,000 connections it ever has in hand at once is a matter of luck, of 2,000 hardly.
    """
    sizes = [resident_kilobytes(pid)]
    for _ in range(3):
        refusals(url, 2000, seconds)
        sizes.append(resident_kilobytes(pid))
    print(f"  memory: {sizes[0] / 1024:.0f} MiB; after 2,000 connections {sizes[-1] / 1024:.0f} MiB")
    return sizes[-1]


def http_pid(server: Server) -> int:
    """The HTTP process: it alone says that it listens."""
    line = next(line for line in server.read_log().splitlines() if "listening pid=" in line)
    return int(line.rpartition("=")[2])


def compare_refusals(rounds: int, seconds: float, folder: Path) -> None:
    """Promise 2: a full queue at 32 and at 1,000 connections."""
    print(f"\nOver capacity: every request is refused ({rounds} rounds of {seconds:g} s)")
    limits = {
        "PROSPERO_TEXT_SLOTS": "1",
        "PROSPERO_TEXT_QUEUE": "1",
        "PROSPERO_REQUEST_TIMEOUT_SECONDS": "3600",
    }
    with ExitStack() as stack:
        server = stack.enter_context(
            fake_server(
                folder, FAKE_KINDS="gpt", FAKE_STEP_SECONDS="0.5", PROSPERO_LOG_LEVEL="info", **limits
            )
        )
        fastapi = stack.enter_context(opponent("fastapi"))
        for _ in range(2):
            stack.enter_context(post_raw(server, "/generate/text", prompt="hog", max_tokens=4096))
        wait_until(lambda: (running(server), waiting(server)) == (1, 1))
        busy, pid = server.url + "/generate/text", http_pid(server)
        few = [refusals(busy, 32, seconds) for _ in range(rounds)]
        few_bare = [refusals(fastapi + "/busy", 32, seconds) for _ in range(rounds)]
        before = warm_up(busy, pid, seconds)
        pairs = [
            (refusals(busy, 1000, seconds), refusals(fastapi + "/busy", 1000, seconds)) for _ in range(rounds)
        ]
        growth = resident_kilobytes(pid) / before - 1
    for report in [*few, *(one for one, _ in pairs)]:
        assert report.refused == report.num_requests, report
    few_p99 = median(one.p99 for one in few)
    ours, bare = (median(one[index].p99 for one in pairs) for index in (0, 1))
    rates = [median(one[index].per_second for one in pairs) for index in (0, 1)]
    for name, rate, p99 in (("ours", rates[0], ours), ("bare FastAPI", rates[1], bare)):
        print(f"  1,000 connections, {name:13}{rate:6.0f} answers/s, p99 {p99:.0f} ms")
    bare_p99 = median(one.p99 for one in few_bare)
    verdict("429 at 32, p99 <= 50 ms", f"{few_p99:.1f} ms (bare FastAPI {bare_p99:.1f} ms)", few_p99 <= 50)
    verdict(
        "429 at 1,000, p99 <= 1.5x bare FastAPI's constant 429", f"{ours / bare:.2f}x", ours <= 1.5 * bare
    )
    errors = sum(one.errors for one, _ in pairs)
    verdict("failed or reset connections", str(errors), errors == 0)
    verdict("memory growth <= 5 %", f"{growth:+.1%}", growth <= 0.05)


def measure_cancellation(rounds: int, folder: Path) -> None:
    """Promise 3: from a client's leaving to the next one's answer, on a single slot with steps of 3 ms."""
    print(f"\nA client leaves the only slot; how soon the next has its one token ({rounds} times)")
    limits = {"PROSPERO_TEXT_SLOTS": "1", "PROSPERO_LOG_LEVEL": "warning"}
    with fake_server(folder, FAKE_KINDS="gpt", **limits) as server:
        for stream in (False, True):
            times = []
            for _ in range(rounds):
                hog = post_raw(server, "/generate/text", prompt="hog", max_tokens=4096, stream=stream)
                wait_until(lambda: running(server) == 1)
                with post_raw(server, "/generate/text", **ONE_TOKEN) as next_one:
                    wait_until(lambda: waiting(server) == 1)
                    began = time.perf_counter()
                    hog.close()
                    next_one.recv(100)
                    times.append((time.perf_counter() - began) * 1000)
            kind = "streaming" if stream else "not streaming"
            worst = max(times)
            verdict(
                f"{kind}: within 100 ms", f"median {median(times):.1f}, worst {worst:.1f} ms", worst <= 100
            )


def measure_metrics(seconds: float, ours: Server) -> None:
    """Promise 8: /metrics while 32 clients ask as fast as they can, and what idling costs."""
    print("\n/metrics under load, and idling")
    page = ours.url + "/metrics"
    load = threading.Thread(target=wrk, args=(ours.url + "/generate/text", 32, seconds, ONE_TOKEN))
    load.start()
    times = []
    with httpx.Client() as client:
        while load.is_alive():
            began = time.perf_counter()
            client.get(page).raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.05)
    p99 = percentile(times, 99)
    verdict("/metrics < 50 ms", f"median {median(times):.1f}, p99 {p99:.1f} ms", p99 < 50)
    time.sleep(1)
    processes = [ours.process.pid, *descendants(ours.process.pid)]
    before = sum(cpu_seconds(pid) for pid in processes)
    time.sleep(10)
    idle = (sum(cpu_seconds(pid) for pid in processes) - before) / 10
    verdict("idle CPU of all processes, about 0 %", f"{idle:.1%}", idle < 0.03)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run of wrk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quiet = {"PROSPERO_LOG_LEVEL": "warning", "FAKE_KINDS": "gpt"}
        with fake_server(folder / "instant", FAKE_STEP_SECONDS="0", **quiet) as server:
            compare_requests(arguments.rounds, arguments.seconds, server)
            measure_metrics(2 * arguments.seconds, server)
        with fake_server(folder / "steps", FAKE_STEP_SECONDS="0.003", **quiet) as server:
            compare_streams(arguments.rounds, arguments.seconds, server)
        compare_refusals(arguments.rounds, arguments.seconds, folder / "full")
        measure_cancellation(5 * arguments.rounds, folder / "leaving")


if __name__ == "__main__":
    main()
