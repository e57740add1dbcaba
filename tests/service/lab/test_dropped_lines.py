"""Lines of its output that the lab's process had to drop are counted with those of all processes."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from models.lab.config import LabConfig
from service.lab import session as within
from service.lab.messages import Frame
from service.lab.process import LabProcess
from service.lab.runs import LabRuns
from service.lab.session import Session
from service.lifecycle import Lifecycle
from service.metrics import LabMetrics
from service.settings import Settings


def frame_of(monkeypatch: pytest.MonkeyPatch, num_dropped: int) -> Frame:
    """What a run in the lab's process says, when its process has dropped so many."""
    monkeypatch.setattr(within, "num_lines_dropped", lambda: num_dropped)
    session = Session("run", LabConfig(), 10.0)
    session.watch()
    session.seen()
    while (frame := session.advance()) is None:
        pass
    return frame


def test_they_add_up_over_all_of_the_lab_s_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object) -> None:
        pass

    async def run() -> int:
        metrics = LabMetrics(CollectorRegistry())
        runs = LabRuns(Settings(), Lifecycle(), metrics)
        for counts in ((0, 2, 5), (0, 3)):
            await runs.create(LabConfig())
            process = runs._process
            assert process is not None
            for count in counts:
                runs._on_message(frame_of(monkeypatch, count))
            runs._on_process_end(process)
        return metrics.lines_dropped

    monkeypatch.setattr(LabProcess, "start", start)
    assert asyncio.run(run()) == 5 + 3
