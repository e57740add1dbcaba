"""The GAN Lab's runs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

LAB_ENDINGS = ("deleted", "diverged", "draining", "failed", "lost", "time_up", "unwatched")


class LabMetrics:
    """What the lab's runs do. Steps and seconds are counted as frames come, a fraction of a second late."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lines_dropped = 0  # of the lab's output; exported with those of all processes
        self.active = Gauge(
            "prospero_lab_runs_active", "Lab runs, watched or waiting for a viewer.", registry=registry
        )
        self.started = Counter("prospero_lab_runs_started_total", "Lab runs made.", registry=registry)
        self.refused = Counter(
            "prospero_lab_runs_refused_total", "Lab runs refused for want of room.", registry=registry
        )
        self.ended = Counter(
            "prospero_lab_runs_ended_total", "Lab runs ended, and why.", ["reason"], registry=registry
        )
        for reason in LAB_ENDINGS:
            self.ended.labels(reason)
        self.steps = Counter("prospero_lab_steps_total", "Training steps of lab runs.", registry=registry)
        self.cpu_seconds = Counter(
            "prospero_lab_cpu_seconds_total", "CPU time of the lab's process.", registry=registry
        )
