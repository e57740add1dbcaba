"""What the workers are doing, read when a scrape comes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.machine import resident_bytes

_TOLD = ("device", "dtype", "kernel", "weights")  # of what a worker says of its model


class WorkerView(Protocol):
    """What is read of a worker."""

    name: str
    kind: str
    description: dict[str, Any]
    pid: int | None

    @property
    def is_ready(self) -> bool: ...
    @property
    def num_running(self) -> int: ...
    @property
    def num_waiting(self) -> int: ...
    @property
    def max_running(self) -> int: ...
    @property
    def max_waiting(self) -> int: ...
    def num_waiting_of(self, key: str) -> int: ...


class WorkerCollector(Collector):
    """Gauges of each worker.

    Args:
        keys: the names of the API keys that have lines of their own.
    """

    def __init__(self, workers: Collection[WorkerView], keys: Callable[[], Collection[str]]) -> None:
        self._workers = workers
        self._keys = keys

    def collect(self) -> Iterator[GaugeMetricFamily]:
        def gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"prospero_{name}", documentation, labels=["model", *labels])

        up = gauge("engine_ready", "1 if the worker is ready.")
        running = gauge("requests_running", "Calls with the worker.")
        max_running = gauge(
            "requests_running_max", "Calls that the worker takes at once; 0 until it is ready."
        )
        waiting = gauge("requests_waiting", "Calls in the queue.")
        max_waiting = gauge("requests_waiting_max", "Calls that the queue holds.")
        waiting_of = gauge("key_requests_waiting", "Calls in the queue, where keys share it.", "key")
        memory = gauge("worker_resident_memory_bytes", "Memory that the worker's process holds.")
        info = gauge("model_info", "1 for each loaded checkpoint.", "kind", *_TOLD)
        for worker in self._workers:
            up.add_metric([worker.name], float(worker.is_ready))
            running.add_metric([worker.name], worker.num_running)
            max_running.add_metric([worker.name], worker.max_running)
            waiting.add_metric([worker.name], worker.num_waiting)
            max_waiting.add_metric([worker.name], worker.max_waiting)
            for key in self._keys():
                waiting_of.add_metric([worker.name, key], worker.num_waiting_of(key))
            if (resident := resident_bytes(worker.pid)) is not None:
                memory.add_metric([worker.name], resident)
            if worker.description:
                told = [str(worker.description.get(key, "")) for key in _TOLD]
                info.add_metric([worker.name, worker.kind, *told], 1)
        yield from (up, running, max_running, waiting, max_waiting, waiting_of, memory, info)
