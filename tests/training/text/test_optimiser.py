"""Muon, and the course of the learning rate."""

from __future__ import annotations

import pytest
import torch

from models.gpt.network import GPT, CausalAttention
from training.text.optimiser import make_optimisers, orthogonalise, rate_factor
from training.text.settings import PRESETS, TextSettings

SMALL = PRESETS["tiny"]


@pytest.mark.parametrize("shape", [(2, 16, 48), (2, 48, 16), (3, 32, 40)])
def test_orthogonal_updates_have_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    given = orthogonalise(matrices)
    assert (torch.linalg.svdvals(given) - 1).abs().max() < 0.2
    cosine = torch.cosine_similarity(given.flatten(1), (u @ v).flatten(1))
    assert cosine.min() > 0.98


def test_every_parameter_has_one_optimiser_and_matrices_have_muon() -> None:
    network = GPT(SMALL.network_config(64, "none"))
    adamw, muon = make_optimisers(network, SMALL)
    taken = [p for optimiser in (adamw, muon) for group in optimiser.param_groups for p in group["params"]]
    assert {id(p) for p in taken} == {id(p) for p in network.parameters()}
    assert len(taken) == len(list(network.parameters()))
    assert len(muon.param_groups) == 4 * SMALL.num_layers
    (only,) = make_optimisers(network, SMALL.model_copy(update={"optimiser": "adamw"}))
    assert sum(len(group["params"]) for group in only.param_groups) == len(taken)


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_the_loss_falls(optimiser: str) -> None:
    torch.manual_seed(0)
    settings = SMALL.model_copy(update={"optimiser": optimiser})
    network = GPT(settings.network_config(64, "none"))
    optimisers = make_optimisers(network, settings)
    tokens = torch.randint(64, (4, 33))
    losses = []
    for _ in range(25):
        logits = network.logits(network(tokens[:, :-1], CausalAttention()))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        for one in optimisers:
            one.step()
            one.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_the_rate_warms_up_holds_and_decays() -> None:
    wsd = TextSettings(steps=100, warmup_steps=10, decay_fraction=0.4)
    assert [rate_factor(wsd, step) for step in (0, 9, 30, 60)] == [0.1, 1, 1, 1]
    assert rate_factor(wsd, 80) == pytest.approx(0.5)
    cosine = TextSettings(steps=100, warmup_steps=0, schedule="cosine", final_fraction=0.1)
    assert rate_factor(cosine, 0) == 1
    assert rate_factor(cosine, 50) == pytest.approx(0.55)
    assert rate_factor(cosine, 100) == pytest.approx(0.1)
