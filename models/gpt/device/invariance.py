"""Does a request get the same bits whatever its company? Asked of the device in every size, not assumed."""

from __future__ import annotations

import torch
from torch import Tensor

from models.gpt.device.buckets import PROMPT_SHAPES, prompt_spans
from models.gpt.device.launcher import Launcher

LENGTH = 23  # tokens of the prompt, and with them in every span


@torch.inference_mode()
def differences(launcher: Launcher, row_buckets: list[int], span_buckets: list[int]) -> dict[str, float]:
    """The largest difference of slot 0's logits, by size, to those of the first size.

    The launcher must be idle: its pool is filled with noise for the trial and zeroed after it.
    """
    with launcher.on_stream():
        _fill(launcher)
        found = _compared(_read_prompts(launcher, span_buckets))
        found |= _compared(_read_rows(launcher, row_buckets, span_buckets))
        for layer in (*launcher.passes.pool.keys, *launcher.passes.pool.values):
            layer.zero_()
        launcher.passes.control.is_active.zero_()
    return found


def _fill(launcher: Launcher) -> None:
    generator = torch.Generator(launcher.passes.device).manual_seed(0)
    for layer in (*launcher.passes.pool.keys, *launcher.passes.pool.values):
        noise = torch.randn(layer.shape[1:], generator=generator, device=layer.device)
        layer.copy_(noise.expand_as(layer))


def _read_prompts(launcher: Launcher, span_buckets: list[int]) -> dict[str, Tensor]:
    """Slot 0's prompt, in the company of as many others as a shape holds."""
    vocabulary, scratch = launcher.passes.logits.shape[1], launcher.passes.pool.scratch_slot
    length = min(LENGTH, span_buckets[0])
    found = {}
    for shape in PROMPT_SHAPES:
        records = launcher.prompts[shape].records
        records.zero_()
        records[:, 0] = torch.arange(shape[0], device=records.device).clamp(max=scratch)
        records[:, 2] = length
        tokens = torch.arange(shape[0], device=records.device)[:, None] * 7
        records[:, 4 : 4 + length] = (tokens + torch.arange(length, device=records.device)) % vocabulary
        for span in prompt_spans(span_buckets):
            launcher.replays.run(("prompts", shape, span))
            found[f"prompts {shape[0]}x{shape[1]}, span {span}"] = launcher.passes.logits[0].clone()
    return found


def _read_rows(launcher: Launcher, row_buckets: list[int], span_buckets: list[int]) -> dict[str, Tensor]:
    """Slot 0's next token, in the company of all slots of a bucket."""
    passes = launcher.passes
    passes.control.is_active.fill_(1)
    passes.control.position.fill_(min(LENGTH, span_buckets[0] - 1))
    passes.tokens.copy_(torch.arange(len(passes.tokens), device=passes.device) % passes.logits.shape[1])
    found = {}
    for rows in row_buckets:
        for span in span_buckets:
            launcher.replays.run(("read", rows, span))
            found[f"{rows} rows, span {span}"] = passes.logits[0].clone()
    return found


def _compared(by_size: dict[str, Tensor]) -> dict[str, float]:
    first = next(iter(by_size.values()))
    return {size: float((logits - first).abs().max()) for size, logits in by_size.items()}
