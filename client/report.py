"""What a load came to: rates, percentiles, failures; as a table and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from client.load import Sample

PERCENTS = (50, 90, 95, 99)
Percentiles = dict[str, float]  # seconds, by names such as "p50"


@dataclass(frozen=True)
class Report:
    """Times in seconds. Rates are of what succeeded, from the first request to the last answer."""

    unit: str  # tokens or images
    succeeded: int
    failures: dict[str, int]  # how many, by what was said
    seconds: float
    requests_per_second: float
    amount_per_second: float
    latency: Percentiles | None  # to the end of the answer; None if there was none
    first_token: Percentiles | None  # to the first text; None for what comes at once
    per_token: Percentiles | None  # between the first token and the last
    client_cpu: float  # of one core, by this load generator: near 1, it is what was measured

    def figures(self) -> dict[str, Any]:
        """As JSON has them."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.succeeded} answered, {sum(self.failures.values())} failed, in {self.seconds:.2f} s",
            f"{self.requests_per_second:.2f} requests/s, {self.amount_per_second:.1f} {self.unit}/s",
            f"the load generator used {self.client_cpu:.0%} of a core",
            "",
            f"{'milliseconds':14}" + "".join(f"{f'p{percent}':>10}" for percent in PERCENTS),
        ]
        named = {"first token": self.first_token, "per token": self.per_token, "whole answer": self.latency}
        for name, values in named.items():
            if values:
                lines.append(f"{name:14}" + "".join(f"{1000 * one:10.1f}" for one in values.values()))
        lines += [f"failed, {number} times: {reason}" for reason, number in self.failures.items()]
        return "\n".join(lines)


def make_report(samples: Sequence[Sample], cpu_seconds: float, unit: str) -> Report:
    """Of at least one sample."""
    good = [one for one in samples if one.error is None]
    seconds = max(one.ended_at for one in samples) - min(one.due_at for one in samples)
    firsts = [(one, one.first_at) for one in good if one.first_at is not None]
    return Report(
        unit=unit,
        succeeded=len(good),
        failures=dict(Counter(one.error for one in samples if one.error is not None).most_common()),
        seconds=seconds,
        requests_per_second=len(good) / seconds,
        amount_per_second=sum(one.amount for one in good) / seconds,
        latency=percentiles([one.ended_at - one.due_at for one in good]),
        first_token=percentiles([first - one.due_at for one, first in firsts]),
        per_token=percentiles(
            [(one.ended_at - first) / (one.amount - 1) for one, first in firsts if one.amount > 1]
        ),
        client_cpu=cpu_seconds / seconds,
    )


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """For each percentage the smallest value that at least so many don't exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {f"p{one}": ordered[math.ceil(len(ordered) * one / 100) - 1] for one in PERCENTS}
