"""Loaders: a reload has as many threads as the first load; a batcher asks its own device after a fault."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch

from models import device_memory
from models.cores import Cores
from service.workers import loaders


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    loaders._first_choice.cache_clear()
    yield
    torch.set_num_threads(before)
    loaders._first_choice.cache_clear()


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(("asked", "given"), [(None, 3), (2, 2)])
def test_a_reload_has_as_many_threads_as_the_first_load(asked: int | None, given: int) -> None:
    counts = []

    def load() -> None:
        loaders.use_threads(asked)
        counts.append(torch.get_num_threads())

    load()
    Cores().map(abs, [1, 2, 3])  # from here on PyTorch gives new threads one
    reload = Thread(target=load)
    reload.start()
    reload.join()
    assert counts == [given, given]


def test_after_a_fault_a_batcher_asks_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(device_memory, "check_alive", asked.append)
    loader = loaders.TextLoader(Path("checkpoints/gpt-shakespeare"), 1, 0.0, None)
    batcher = loader("cpu")
    assert not asked
    batcher.check()
    assert asked == ["cpu"]
