"""Cores: side by side, in order, one thread each; the caller keeps its own threads."""

import threading
from collections.abc import Iterator

import pytest
import torch

from models.cores import Cores


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_side_by_side_in_order_and_one_thread_each():
    meeting = threading.Barrier(3, timeout=30)  # passed only if three run at once

    def work(item: int) -> tuple[int, int]:
        meeting.wait()
        return item * 10, torch.get_num_threads()

    assert Cores().map(work, [1, 2, 3]) == [(10, 1), (20, 1), (30, 1)]
    assert torch.get_num_threads() == 3


def test_the_first_failure_is_raised():
    def work(item: int) -> int:
        if item:
            raise ValueError(f"item {item}")
        return item

    with pytest.raises(ValueError, match="item 1"):
        Cores().map(work, [0, 1, 2])
    assert Cores().map(work, []) == []
