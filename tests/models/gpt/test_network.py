"""The network: what it may see, and that its shapes mean what they say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from models.gpt.config import GPTConfig
from models.gpt.network import CausalAttention
from tests.models.gpt.small import GPT2, make_network

TOKENS = torch.arange(20).remainder(13)[None]


@pytest.mark.parametrize("shape", [{}, GPT2, {"tied": False}], ids=["modern", "gpt2", "untied"])
def test_nothing_is_seen_ahead_of_time(shape: dict[str, Any]) -> None:
    network = make_network(13, **shape)
    changed = TOKENS.clone()
    changed[0, 12:] = 3
    one, other = (network.logits(network(tokens, CausalAttention())) for tokens in (TOKENS, changed))
    torch.testing.assert_close(one[:, :12], other[:, :12])
    assert not torch.allclose(one[:, 13:], other[:, 13:])


def test_a_window_bounds_what_one_layer_sees() -> None:
    network = make_network(13, num_layers=1)
    changed = TOKENS.clone()
    changed[0, 5] = 0
    one, other = (network(tokens, CausalAttention(window=4)) for tokens in (TOKENS, changed))
    differs = (one != other).any(-1)[0]
    assert differs.nonzero().flatten().tolist() == [5, 6, 7, 8]


def test_rotary_scores_depend_on_distance_alone() -> None:
    network = make_network(13)
    near = network(TOKENS, CausalAttention(), torch.arange(20))
    far = network(TOKENS, CausalAttention(), torch.arange(20) + 1000)
    torch.testing.assert_close(near, far, atol=2e-3, rtol=0)


def test_shared_keys_equal_repeated_ones() -> None:
    grouped, full = make_network(13, kv_heads=2), make_network(13, kv_heads=4)
    full.load_state_dict(
        {
            name: _repeat_kv(tensor) if name.endswith("qkv.weight") else tensor
            for name, tensor in grouped.state_dict().items()
        }
    )
    torch.testing.assert_close(grouped(TOKENS, CausalAttention()), full(TOKENS, CausalAttention()))


def _repeat_kv(weight: torch.Tensor) -> torch.Tensor:
    q, k, v = weight.view(-1, 16, 64).split((4, 2, 2))
    return torch.cat((q, k.repeat_interleave(2, 0), v.repeat_interleave(2, 0))).reshape(-1, 64)


@pytest.mark.parametrize(
    "change", [{"heads": 3}, {"kv_heads": 3}, {"hidden_size": 12}, {"num_layers": 0}, {"colour": "red"}]
)
def test_impossible_shapes_are_refused(change: dict[str, Any]) -> None:
    shape = {
        "vocabulary": 9,
        "max_seq_len": 8,
        "num_layers": 1,
        "hidden_size": 64,
        "heads": 4,
        "kv_heads": 2,
        "mlp_width": 8,
    }
    GPTConfig(training_data="", **shape)
    with pytest.raises(ValidationError):
        GPTConfig(training_data="", **(shape | change))


def test_earlier_names_of_its_fields_are_understood() -> None:
    rest = {"training_data": "", "vocabulary": 9, "heads": 4, "kv_heads": 2, "mlp_width": 8}
    earlier = GPTConfig.model_validate(rest | {"context": 8, "layers": 1, "width": 64})
    today = GPTConfig.model_validate(rest | {"max_seq_len": 8, "num_layers": 1, "hidden_size": 64})
    assert earlier == today
    assert not {"context", "layers", "width"} & earlier.model_dump().keys()
    with pytest.raises(ValidationError, match="width"):
        GPTConfig.model_validate(today.model_dump() | {"width": 64})
