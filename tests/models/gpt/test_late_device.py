"""A device that does nothing until it is waited for: what the host overwrites too early, it reads too late.

What the launcher starts without waiting (copies, replays) is queued, and done when an event is waited for, as
late as a GPU may do it. The tokens have to be those of a device that does everything at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from models.gpt.device import decoder as decoder_module
from models.gpt.device import launcher as launcher_module
from models.gpt.device.decoder import DeviceDecoder
from models.gpt.sampling import Sampler
from tests.models.gpt.small import GPT2, make_network


class Queue:
    """The device's stream."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []
        self.num_done = 0
        self.most = 0

    def add(self, work: Callable[[], object]) -> None:
        self.waiting.append(work)
        self.most = max(self.most, len(self.waiting) - self.num_done)

    def catch_up(self, end: int | None = None) -> None:
        for work in self.waiting[self.num_done : end]:
            self.num_done += 1
            work()


class OnStream(TorchFunctionMode):
    """Queues copies that nobody waits for; before anything else that writes, the device has to catch up."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.copy_ and (kwargs or {}).get("non_blocking"):
            self._queue.add(lambda: args[0].copy_(args[1]))
            return args[0]
        name = func.__name__.removesuffix("__")
        if name.endswith("_") or name == "__setitem":
            self._queue.catch_up()
        return func(*args, **(kwargs or {}))


def make_late(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue, launcher = Queue(), decoder.launcher

    class Event:
        def record(self) -> None:
            self._end = len(queue.waiting)

        def synchronize(self) -> None:
            with torch.inference_mode():
                queue.catch_up(self._end)

    run = launcher.replays.run
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(launcher, "_is_cuda", True)
    monkeypatch.setattr(launcher, "on_stream", lambda: OnStream(queue))
    monkeypatch.setattr(launcher.replays, "run", lambda key: queue.add(lambda: run(key)))
    return queue


def draw_all(decoder: DeviceDecoder) -> dict[int, list[int]]:
    """Requests that come and go, of several kinds, by their seeds."""
    waiting = [
        (Sampler(seed, top_k=9 if seed % 3 else None, presence_penalty=seed % 4 / 2), 5 + 7 * seed % 40)
        for seed in range(14)
    ]
    drawn: dict[int, list[int]] = {sampler.seed: [] for sampler, _ in waiting}
    running: dict[Any, tuple[int, int]] = {}
    while waiting or running:
        while waiting and len(running) < decoder.max_slots:
            sampler, count = waiting.pop()
            prompt = list(range(1, 2 + sampler.seed * 5 % 45))
            running[decoder.open(prompt, sampler, count)] = sampler.seed, count
        for sequence, tokens, *_ in decoder.step(may_look=False):
            seed, count = running[sequence]
            drawn[seed] += tokens
            sequence.push(*tokens)
            if len(drawn[seed]) == count:
                decoder.close(sequence)
                del running[sequence]
    return drawn


def make_decoder(shape: dict[str, Any]) -> DeviceDecoder:
    return DeviceDecoder(make_network(60, **shape), 4, block_rows=1)


@pytest.mark.parametrize("shape", [{}, GPT2], ids=["rope", "learned"])
def test_a_late_device_draws_the_same(shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_module, "BURSTS", ((3, 3), (2, 2), (0, 1)))
    expected = draw_all(make_decoder(shape))
    decoder = make_decoder(shape)
    queue = make_late(decoder, monkeypatch)
    assert draw_all(decoder) == expected
    assert queue.most > 12  # it was late: two plans were waiting


def test_too_few_stages_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = draw_all(make_decoder({}))
    monkeypatch.setattr(launcher_module, "NUM_STAGES", 1)
    decoder = make_decoder({})
    make_late(decoder, monkeypatch)
    assert draw_all(decoder) != expected
