"""What a training step moves and multiplies, by operator, counted on a processor.

    python -m benchmarks.step_floor landscape|text

Every operator of a step of the preset `gpu` reads its inputs and writes its outputs once; its floor on a card
is the longer of that and of its products, at the rates that `make gpu-check` measured. Two small batches tell
what grows with the batch. Data are noise.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from models.gpt.network import RMSNorm
from training.landscape import batches as landscape_batches
from training.landscape import trainer as landscape_trainer
from training.landscape.dataset import plain_maps
from training.landscape.settings import PRESETS as LANDSCAPES
from training.landscape.style_bank import make_bank
from training.photos.photo_set import PhotoSet
from training.text import settings as text_settings
from training.text import trainer as text_trainer
from training.text.data import Batches

BYTES_PER_SECOND, FLOPS_PER_SECOND = 3.02e12, 793e12  # benchmarks/RESULTS-gpu.md
ATEN = torch.ops.aten
ON_A_CARD = {  # attention, which is counted by the name that it has there
    ATEN._scaled_dot_product_flash_attention_for_cpu: ATEN._scaled_dot_product_flash_attention,
    ATEN._scaled_dot_product_flash_attention_for_cpu_backward: (
        ATEN._scaled_dot_product_flash_attention_backward
    ),
}
MOVE_NOTHING = ("_unsafe_view", "empty", "empty_like", "new_empty", "new_empty_strided")
SHOWN = 0.015  # of the whole floor: what has less goes into one row
Row = np.ndarray[Any, np.dtype[np.float64]]  # operators, bytes, floating-point operations, seconds


class Counter(TorchDispatchMode):
    """Sums by operator of all that runs under it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sums: dict[str, Row] = defaultdict(lambda: np.zeros(4))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        read = {id(one): one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        made = [one for one in tree_leaves(out) if isinstance(one, Tensor)]
        if func.is_view or not made or func.overloadpacket.__name__ in MOVE_NOTHING:
            return out
        num_bytes = sum(_bytes_of(one) for one in [*read.values(), *made])
        packet = func.overloadpacket
        count = flop_registry.get(ON_A_CARD.get(packet, packet))
        flops = count(*args, **(kwargs or {}), out_val=out) if count else 0
        if packet in ON_A_CARD and any(one is True for one in args):  # causal: half is not seen
            flops //= 2
        seconds = max(num_bytes / BYTES_PER_SECOND, flops / FLOPS_PER_SECOND)
        self.sums[_kind(func, args, flops)] += [1, num_bytes, flops, seconds]
        return out


def _bytes_of(tensor: Tensor) -> int:
    """What is there of a tensor, however often it is repeated."""
    sides = [side for side, step in zip(tensor.shape, tensor.stride(), strict=True) if step]
    return int(np.prod(sides)) * tensor.element_size()


def _kind(func: Any, args: tuple[Any, ...], flops: int) -> str:
    name = func.overloadpacket.__name__
    if "convolution" in name:
        is_backward = "backward" in name
        kind = "depthwise" if args[-2 if is_backward else -1] > 1 else "dense"
        return f"{kind} convolutions, {'backward' if is_backward else 'forward'}"
    return "products" if flops else name.strip("_")


def landscape(batch: int) -> Callable[[int], Any]:
    """A step of the landscape GAN's trainer, in bfloat16 as on a card."""
    settings = LANDSCAPES["gpu"].model_copy(update={"batch": batch})
    draw = np.random.default_rng(0)
    photos = draw.integers(0, 256, (8, 256, 256, 3), dtype=np.uint8)
    maps = np.kron(draw.integers(0, 9, (8, 8, 8)), np.ones((1, 32, 32))).astype(np.uint8)
    bank = make_bank(photos, plain_maps(maps))
    device = torch.device("cpu")
    data = PhotoSet(tuple("abcdefgh"), photos, maps)
    made = landscape_batches.Batches(data, bank, settings, device)
    trainer = landscape_trainer.Trainer(settings, settings.model("noise", 8), bank, made)
    autocast = mock.Mock(side_effect=lambda: torch.autocast("cpu", torch.bfloat16))
    trainer._autocast = autocast  # type: ignore[method-assign]
    return trainer.train_step


def text(batch: int) -> Callable[[int], Any]:
    """A step of the GPT's trainer."""
    settings = text_settings.PRESETS["gpu"].model_copy(update={"batch": batch})
    tokens = np.random.default_rng(0).integers(0, settings.vocabulary, 40_000)
    config = settings.network_config(settings.vocabulary, "noise")
    batches = Batches(lambda _: tokens, settings)
    trainer = text_trainer.Trainer(config, settings, batches, torch.device("cpu"))
    for module in trainer.network.modules():
        if isinstance(module, RMSNorm):  # one kernel on a GPU, as this is on a processor
            module.forward = partial(_layer_norm, module)  # type: ignore[method-assign]
    return trainer.train_step


def _layer_norm(norm: RMSNorm, x: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return F.layer_norm(x, norm.normalized_shape, norm.weight.to(x.dtype), None)


def count(step: Callable[[int], Any]) -> dict[str, Row]:
    """Sums of one step; an earlier one made what is made once."""
    step(0)
    counter = Counter()
    with counter:
        step(1)
    return counter.sums


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["landscape", "text"])
    what = parser.parse_args().what
    make, batch, small = (landscape, LANDSCAPES["gpu"].batch, 4) if what == "landscape" else (
        text, text_settings.PRESETS["gpu"].batch, 2)  # fmt: skip
    one, two = count(make(small)), count(make(2 * small))
    rows = {key: one[key] + (two[key] - one[key]) * (batch / small - 1) for key in two}
    print("| operators | count | GB | TFLOP | floor, ms |\n|---|---|---|---|---|")
    whole = sum(rows.values(), np.zeros(4))
    few = np.zeros(4)
    for kind, row in sorted(rows.items(), key=lambda item: -item[1][3]):
        if row[3] < SHOWN * whole[3]:
            few += row
        else:
            print_row(kind, row)
    print_row("others", few)
    print_row("all", whole)


def print_row(kind: str, row: Row) -> None:
    operators, num_bytes, flops, seconds = row
    print(f"| {kind} | {operators:.0f} | {num_bytes / 1e9:.1f} | {flops / 1e12:.2f} | {1e3 * seconds:.1f} |")


if __name__ == "__main__":
    main()
