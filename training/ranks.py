"""Data parallelism under torchrun: which of its processes this one is, and what all of them agree on.

    torchrun --nproc-per-node 4 -m -- training text --device cuda --run runs/text

(torchrun would take `--run` for an option of its own if it were not for the `--`.)

Without torchrun there is one process, and nothing here communicates.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process's place among `world`; the main one, rank 0, writes files and speaks."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows of a batch that every process has drawn alike."""
        return rows[self.rank :: self.world]

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a scalar over all processes, in its place."""
        if self.world > 1:
            dist.all_reduce(value)
            wait_for_release(value)
            value /= self.world
        return value

    def agree(self, answer: bool) -> bool:
        """The main process's answer, for all: clocks differ, decisions must not."""
        if self.world == 1:
            return answer
        said = torch.tensor(int(answer), device=self.device)
        dist.broadcast(said, src=0)
        wait_for_release(said)
        return bool(said.item())

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the main process through the block before the others, who find what it left on disk."""
        if self.world > 1 and not self.is_main:
            dist.barrier()
        try:
            yield
        finally:
            if self.world > 1 and self.is_main:
                dist.barrier()


ALONE = Ranks()


def wait_for_release(exchanged: Tensor) -> None:
    """Wait until gloo's thread has let go of a tensor that Python owns too, for which it needs Python's lock.

    It does so a little after the exchange. At the process's end that is too late: the lock is gone, and the
    process aborts, or whoever destroys the process group holds it and waits for the thread for ever.
    """
    while exchanged.device.type == "cpu" and exchanged._use_count() > 1:  # type: ignore[attr-defined]
        time.sleep(0)


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun's variables tell of: over gloo on CPUs, NCCL on GPUs, one GPU each."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(device=device)
        return
    is_cuda = device.startswith("cuda")
    if is_cuda:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if is_cuda else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()
