"""Muon (Jordan et al. 2024) for the blocks' matrices, AdamW for the rest, and the learning rate's course.

Muon's update is scaled to AdamW's size (Liu et al. 2025), and each head group of a fused matrix is made
orthogonal by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from models.gpt.network import GPT
from training.text.networks import Network
from training.text.settings import TextSettings

NEWTON_SCHULZ = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
                 (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012))  # fmt: skip


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of each of `matrices` (n, R, C) near 1, keeping their directions."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x.bfloat16() if x.is_cuda else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) * 1.01 + 1e-7)
    for a, b, c in NEWTON_SCHULZ:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal. Each parameter is a matrix; `rows` of a group says how to cut its rows."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(list(groups), {"lr": lr, "weight_decay": weight_decay, "momentum": 0.95})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; gradients must be there."""
        del closure
        pieces: dict[torch.Size, list[tuple[Tensor, Tensor, float]]] = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(momentum, group["momentum"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                cuts = zip(parameter.split(group["rows"]), update.split(group["rows"]), strict=True)
                for target, piece in cuts:
                    pieces.setdefault(piece.shape, []).append((target, piece, group["lr"]))
        for shape, same in pieces.items():
            directions = orthogonalise(torch.stack([piece for _, piece, _ in same]))
            for (target, _, rate), direction in zip(same, directions, strict=True):
                target.add_(direction, alpha=-rate * 0.2 * math.sqrt(max(shape)))


def make_optimisers(network: Network, settings: TextSettings) -> list[torch.optim.Optimizer]:
    """Split the network's parameters between Muon and AdamW; norms and biases are not decayed."""
    matrices = []
    if settings.optimiser == "muon" and isinstance(network, GPT):
        matrices = _block_matrices(network)
    taken = {id(group["params"][0]) for group in matrices}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    adamw = torch.optim.AdamW(
        [
            {"params": [p for p in rest if p.dim() > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(0.9, settings.beta2),
        fused=rest[0].is_cuda,
    )
    if not matrices:
        return [adamw]
    return [adamw, Muon(matrices, settings.muon_learning_rate, settings.weight_decay)]


def _block_matrices(network: GPT) -> list[dict[str, Any]]:
    """Every linear layer in the blocks with the rows that belong together."""
    config, groups = network.config, []
    parts = [config.heads * config.head_width, *[config.kv_heads * config.head_width] * 2]
    for name, module in network.blocks.named_modules():
        if isinstance(module, nn.Linear):
            rows = [module.out_features]
            if name.endswith("attention.qkv"):
                rows = parts
            elif name.endswith("mlp.into") and config.mlp == "swiglu":
                rows = [config.mlp_width] * 2
            groups.append({"params": [module.weight], "rows": rows})
    return groups


def rate_factor(settings: TextSettings, step: int) -> float:
    """Share of the peak learning rate at `step` (0 is the first)."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
        share = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    else:
        share = min(1.0, (settings.steps - step) / (settings.decay_fraction * settings.steps))
    return settings.final_fraction + (1 - settings.final_fraction) * max(0.0, share)
