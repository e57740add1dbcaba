"""How many replicas a load needs: the queue model with the measured rates, beside the measured open loop.

    python -m benchmarks.replicas

Reads benchmarks/RESULTS.md and prints the tables of docs/scaling.md, in a minute.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.compare.open_loop import OpenLoop
from benchmarks.compare.statistics import percentile
from benchmarks.compare.text import MEAN_ANSWER_B, NUM_CHARACTERS, PROMPT_CHARACTERS, PROMPTS_B, UP, Plan
from benchmarks.queue_model import Fleet, Service, arrivals

RESULTS = Path(__file__).parent / "RESULTS.md"
MEAN_PROMPT_B = sum(PROMPTS_B) / 2
BALANCES = ("leastconn", "roundrobin", "sticky")


@dataclass(frozen=True)
class Measured:
    """Of Prospero, in RESULTS.md.

    Attributes:
        streamed: characters a second by number of clients, prompts of 32 for answers of 200.
        prompts: characters a second by prompt length, eight clients, answers of 50.
        held: workload B's highest rate that held, in requests a second.
        firsts: median and 99th percentile of seconds to the first token there.
        delivered: characters a second there: fewer than were asked for, so all that it can.
        beyond: the 99th percentile at the next rate.
    """

    streamed: dict[int, float]
    prompts: dict[int, float]
    held: float
    firsts: tuple[float, float]
    delivered: float
    beyond: float

    @classmethod
    def read(cls, text: str) -> Measured:
        """Parse the page."""
        head, _, row = table(text, "### Characters/s, streamed")[:3]
        streamed = {
            int(numbers(one)[0]): numbers(rate)[0] for one, rate in zip(head[1:], row[1:], strict=True)
        }
        rows = table(text, "## Cost as work grows")[2:]
        prompts = {int(numbers(row[0])[0]): numbers(row[1])[0] for row in rows}
        row = table(text, "## Text, workload B")[2]
        p50, p99 = numbers(row[2])
        firsts, late = (p50 / 1e3, p99 / 1e3), numbers(row[4])[1] / 1e3
        return cls(streamed, prompts, numbers(row[1])[0], firsts, numbers(row[3])[0], late)


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    lines = re.search(r"(?:^\|.*\n)+", text[text.index(heading) :], re.MULTILINE)
    assert lines is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[0].splitlines()]


def numbers(cell: str) -> list[float]:
    """430 and 931 of "430 / 931 ms"; the ± is left out."""
    return [float(one.replace(",", "")) for one in re.findall(r"\d[\d,]*(?:\.\d+)?", cell.split("±")[0])]


def service_of(measured: Measured, slower: float = 1.0) -> Service:
    """From what closed loops took; everything ``slower`` times as long."""
    short = {length: 50 / rate for length, rate in measured.prompts.items() if length <= 256}
    prompt_seconds = float(np.polyfit(list(short), list(short.values()), 1)[0])
    share = prompt_seconds * PROMPT_CHARACTERS / NUM_CHARACTERS
    answers = {clients: slower * (1 / rate - share) for clients, rate in measured.streamed.items()}
    return Service(slower * prompt_seconds, answers)


def capacity(service: Service) -> float:
    return service.capacity(MEAN_PROMPT_B, MEAN_ANSWER_B)


def service_in_open_loop(measured: Measured) -> Service:
    """The same, slowed down to the requests a second that workload B was delivered."""
    return service_of(measured, capacity(service_of(measured)) / (measured.delivered / MEAN_ANSWER_B))


def replay(service: Service, rates: Sequence[float], seed: int) -> list[tuple[float, float]]:
    """Workload B's staircase: median and 99th percentile of seconds to the first token, by rate."""
    fleet, chance, begin, found = Fleet(service, 1, "leastconn"), random.Random(seed), 0.0, []
    seconds, judged = Plan().step_seconds, OpenLoop.JUDGE_SECONDS
    for rate in rates:
        counted = list(arrivals(rate, begin, begin + seconds, chance))
        others = list(arrivals(rate, begin + seconds, begin + seconds + judged, chance))
        begin += seconds + judged
        fleet.serve(counted + others, begin)
        firsts = [min(one.first_seconds, begin - one.asked_at) for one in counted]
        found.append((percentile(firsts, 50), percentile(firsts, 99)))
    return found


def late(service: Service, num_replicas: int, balance: str, share: float, seconds: float = 60) -> float:
    """The 99th percentile of seconds to the first token, at a share of all replicas' capacity."""
    rate = share * num_replicas * capacity(service)
    requests = list(arrivals(rate, 0, seconds, random.Random(num_replicas)))
    Fleet(service, num_replicas, balance).serve(requests, 3 * seconds)
    return percentile([one.first_seconds for one in requests], 99)


def staircase(service: Service, rates: Sequence[float], num_runs: int = 20) -> list[str]:
    """Of each rate, the medians of runs that differ in their seed: p50 / p99 in milliseconds."""
    runs = [replay(service, rates, seed) for seed in range(num_runs)]
    medians = [[median(run[step][which] for run in runs) for which in (0, 1)] for step in range(len(rates))]
    return [" / ".join(f"{1e3 * one:,.0f}" for one in pair) for pair in medians]


def report(measured: Measured) -> Iterator[str]:
    rates = [share * measured.held / UP[2] for share in UP[:4]]
    services = service_of(measured), service_in_open_loop(measured)
    for service in services:
        prompt, answer = 1e6 * service.prompt_seconds, 1e6 * service.answer_seconds()
        yield f"{capacity(service):.1f} /s: {prompt:.0f} µs a prompt's character, {answer:.0f} an answer's"
    seen = [
        "",
        "",
        " / ".join(f"{1e3 * one:,.0f}" for one in measured.firsts),
        f"– / {1e3 * measured.beyond:,.0f}",
    ]
    yield "\n| requests/s | closed loops' rates | what B was delivered | measured |\n|---|---|---|---|"
    for cells in zip(rates, *(staircase(one, rates) for one in services), seen, strict=True):
        yield f"| {cells[0]:.1f} | {' | '.join(cells[1:])} |"
    for share in (0.8, 0.95):
        yield f"\n| replicas, at {share:.0%} | {' | '.join(BALANCES)} |\n|---|---|---|---|"
        for count in (1, 2, 4, 8):
            cells_ms = [f"{1e3 * late(services[1], count, one, share):,.0f} ms" for one in BALANCES]
            yield f"| {count} | {' | '.join(cells_ms)} |"


if __name__ == "__main__":
    for line in report(Measured.read(RESULTS.read_text())):
        print(line, flush=True)
