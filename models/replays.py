"""Functions of no arguments over static buffers, to be run again and again: CUDA graphs; on a CPU calls."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

import torch

CAPTURES = True  # False: operator by operator on a GPU too, to find what can't be captured


class Replays:
    """Captured work by key. All graphs share one pool of memory: only one of them runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._is_cuda = device.type == "cuda" and CAPTURES
        self._functions: dict[Hashable, Callable[[], None]] = {}
        if self._is_cuda:
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream(device)

    def prepare(self, key: Hashable, function: Callable[[], None]) -> None:
        """Run it once, so that libraries make ready what mustn't be captured; then capture it."""
        if not self._is_cuda:
            self._functions[key] = function
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            function()
        torch.cuda.current_stream().wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # thread_local: a reload captures while another thread serves.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            function()
        self._functions[key] = graph.replay

    def run(self, key: Hashable) -> None:
        self._functions[key]()

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)
