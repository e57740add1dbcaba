"""What a GPU captures must not look at the host: no card is needed to see that it doesn't.

Tensors of the `meta` device have shapes and no values: whoever asks for one (`item`, `nonzero`, a mask as an
index) fails, as it would while a graph is captured. `HostWatch` and `ListWatch` fail on everything that
touches a tensor, a list or an array of the host's, which a graph would read again from where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.fixed_batches import SIZES
from models.gpt.device.buckets import row_buckets, span_buckets
from models.gpt.device.launcher import Launcher
from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine
from models.landscape.generator import Generator
from models.landscape.palette import CLASS_NAMES
from models.replays import Replays
from models.segmenter.config import SegmenterConfig
from models.segmenter.engine import SegmenterEngine
from models.segmenter.network import Segmenter
from tests.models.gpt.small import GPT2, make_network

META = torch.device("meta")


class HostWatch(TorchDispatchMode):
    """Fails on any operation that reads, writes or makes a tensor of the host's."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        for one in tree_leaves((args, kwargs, found)):
            if isinstance(one, Tensor) and one.device != META:
                raise AssertionError(f"{func} touches a tensor {tuple(one.shape)} of the host's")
        return found


class ListWatch(TorchFunctionMode):
    """Fails on tensors that are made of Python's numbers or NumPy's arrays."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy):
            raise AssertionError(f"{func.__name__} makes a tensor of what the host has")
        return func(*args, **(kwargs or {}))


def capture_all(replays: Replays) -> int:
    watch = HostWatch()  # type: ignore[no-untyped-call]
    with watch, ListWatch(), torch.inference_mode():
        for key in replays:
            replays.run(key)
    return len(replays)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Replays]:
    """All replays that are made during a test."""
    made: list[Replays] = []
    begin = Replays.__init__

    def note(self: Replays, device: torch.device) -> None:
        begin(self, device)
        made.append(self)

    monkeypatch.setattr(Replays, "__init__", note)
    return made


@pytest.mark.parametrize("block_rows", [1, 256])
@pytest.mark.parametrize("shape", [{}, GPT2], ids=["rope", "learned"])
def test_steps_of_texts(shape: dict[str, Any], block_rows: int) -> None:
    network = make_network(60, **shape).to(META, torch.bfloat16)
    launcher = Launcher(network, 9, row_buckets(9), span_buckets(32), block_rows)
    assert capture_all(launcher.replays) > 40


def test_landscapes(made: list[Replays]) -> None:
    config = LandscapeConfig(
        image_size=32, training_data="noise", classes=CLASS_NAMES, widths=(16, 16, 8), num_styles=6
    )
    LandscapeEngine(Generator(config), "meta", {}, is_fixed=True)
    assert capture_all(made[0]) == len(SIZES)


def test_label_maps(made: list[Replays]) -> None:
    config = SegmenterConfig(image_size=64, training_data="noise", encoder="lite0", decoder_width=16)
    SegmenterEngine(Segmenter(config), "meta", {}, is_fixed=True)
    assert capture_all(made[0]) == len(SIZES)


@pytest.mark.parametrize(
    "fault",
    [
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x[torch.tensor([1, 2])],
        lambda x: x + torch.tensor(2.0),
        lambda x: x.copy_(torch.ones(4)),
        lambda x: x.to("cpu"),
        lambda x: torch.tensor([1.0, 2.0], device=x.device),
    ],
    ids=["item", "mask", "index", "number", "copy-in", "copy-out", "list"],
)
def test_faults_are_seen(fault: Callable[[Tensor], object]) -> None:
    replays, x = Replays(META), torch.zeros(4, device=META)
    replays.prepare("fault", lambda: (fault(x), None)[1])
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)):
        capture_all(replays)
