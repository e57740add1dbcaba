"""Batches of fixed sizes on a GPU: pinned inputs, a captured graph a size; the host is a batch ahead.

It knows nothing of what is computed. On a CPU the same code runs without graphs, so that tests can run there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cores import Cores
from models.replays import Replays

SIZES = (1, 4, 16)  # each takes a GPU's libraries a second to get ready
T = TypeVar("T")
R = TypeVar("R")
Fill = Callable[[Sequence[NDArray[np.generic]]], None]  # writes one item's inputs


class FixedBatches:
    """Runs ``function`` over items, up to the largest size at once."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        inputs: Sequence[tuple[tuple[int, ...], torch.dtype]],
        device: torch.device,
        sizes: tuple[int, ...] = SIZES,
    ) -> None:
        """Capture every size.

        Args:
            function: batches of all inputs, on ``device``, to a uint8 tensor of one row an item.
            inputs: shape and dtype of each input of one item.
        """
        self.sizes, self._cores = sizes, Cores()
        self._is_cuda = device.type == "cuda"
        self.stream = torch.cuda.Stream(device) if self._is_cuda else None
        largest = sizes[-1]
        self._stages = [
            [torch.zeros((largest, *shape), dtype=dtype, pin_memory=self._is_cuda) for shape, dtype in inputs]
            for _ in range(2)
        ]
        with torch.inference_mode(), torch.cuda.stream(self.stream):
            self._inputs = [one.to(device, copy=True) for one in self._stages[0]]
            example = function(*(one[:1] for one in self._inputs))
            self._output = torch.zeros((largest, *example.shape[1:]), dtype=torch.uint8, device=device)
            self.replays = Replays(device)
            for size in reversed(sizes):
                self.replays.prepare(size, partial(self._run, function, size))
        self._results = [torch.zeros_like(self._output, device="cpu").pin_memory() if self._is_cuda
                         else torch.zeros_like(self._output) for _ in range(2)]  # fmt: skip

    def map(self, fills: Sequence[Fill]) -> list[NDArray[np.uint8]]:
        """One result for each of ``fills``, in order; their inputs are written by several threads."""
        results: list[NDArray[np.uint8]] = []
        finish: Callable[[], list[NDArray[np.uint8]]] = list
        for turn, first in enumerate(range(0, len(fills), self.sizes[-1])):
            started = self._start(fills[first : first + self.sizes[-1]], turn % 2)
            results += finish()
            finish = started
        return results + finish()

    @torch.inference_mode()
    def _start(self, fills: Sequence[Fill], turn: int) -> Callable[[], list[NDArray[np.uint8]]]:
        """Send a batch off; the function returned waits for it."""
        stage, result = self._stages[turn], self._results[turn]
        rows = [[part[row].numpy() for part in stage] for row in range(len(fills))]
        self._cores.map(lambda pair: pair[0](pair[1]), zip(fills, rows, strict=True))
        size = next(size for size in self.sizes if size >= len(fills))
        event = torch.cuda.Event() if self._is_cuda else None
        with torch.cuda.stream(self.stream):
            for place, part in zip(self._inputs, stage, strict=True):
                place[:size].copy_(part[:size], non_blocking=True)
            self.replays.run(size)
            result[:size].copy_(self._output[:size], non_blocking=True)
            if event is not None:
                event.record()

        def finish() -> list[NDArray[np.uint8]]:
            if event is not None:
                event.synchronize()
            return list(result[: len(fills)].numpy().copy())

        return finish

    def _run(self, function: Callable[..., Tensor], size: int) -> None:
        self._output[:size] = function(*(one[:size] for one in self._inputs))


def map_in_two_ways(
    items: Sequence[T],
    fits: Callable[[T], bool],
    together: Callable[[Sequence[T]], Sequence[R]],
    alone: Callable[[T], R],
) -> list[R]:
    """Run the items that fit ``together``, the others each ``alone``; results in the items' order."""
    results = iter(together([item for item in items if fits(item)]))
    return [next(results) if fits(item) else alone(item) for item in items]
