"""What the model looked at: against a reference without a cache, and without a trace in the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.errors import RequestError
from models.gpt import attention_probe as attention
from models.gpt.attention_probe import TokenAttention
from models.gpt.config import GPTConfig
from models.gpt.engine import TextEngine
from models.gpt.network import GPT, CausalAttention
from models.gpt.request import TextRequest
from tests.models.gpt.small import ALPHABET, GPT2, complete, make_engine, make_network, text_of

REQUEST = TextRequest("hear me", seed=11, max_tokens=60)


class Reference(CausalAttention):
    """Full attention over all tokens; keeps the last token's weights of each layer."""

    def __init__(self, window: int) -> None:
        super().__init__(window)
        self.weights: list[Tensor] = []

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        assert self.window is not None
        keys = k.repeat_interleave(q.shape[1] // k.shape[1], 1)[0, :, -self.window :]  # (H, span, D)
        scores = torch.einsum("hd,hsd->hs", q[0, :, -1], keys) / q.shape[-1] ** 0.5
        self.weights.append(scores.softmax(-1))
        return super().__call__(layer, q, k, v)


def reference_weights(network: GPT, tokens: list[int], num_prompt: int) -> Tensor:
    """(layers, heads, span) at the last of `tokens`, by the rules of `test_decoding.reference_logits`."""
    context = network.config.max_seq_len
    reference = Reference(context)
    seen = tokens[max(0, num_prompt - context) :]
    if network.config.positions == "learned":
        seen = tokens[max(0, num_prompt - context) : num_prompt]
        for token in tokens[num_prompt:]:
            seen.append(token)
            if len(seen) > context:
                seen = seen[context // 2 :]
    network(torch.tensor([seen]), reference)
    return torch.stack(reference.weights)


def looked(engine: TextEngine, request: TextRequest) -> list[TokenAttention]:
    return [one for event in complete(engine, request) for one in event.attention]


@pytest.mark.parametrize(
    "prompt", ["h", "hear me", "to be or not to be " * 3], ids=["short", "middle", "long"]
)
@pytest.mark.parametrize("shape", [{}, {"kv_heads": 1}, GPT2], ids=["rope", "one-kv-head", "learned"])
def test_weights_equal_a_cacheless_reference_past_the_window(shape: dict[str, Any], prompt: str) -> None:
    engine = make_engine(**shape)
    wanted = (0, 1, 24, 25, 26, 31, 32, 33, 59)
    request = replace(REQUEST, prompt=prompt, attention=wanted)
    whole = prompt + text_of(complete(engine, request))
    found = looked(engine, request)
    assert [one.index for one in found] == list(wanted)
    network = make_network(len(ALPHABET), **shape)
    for one in found:
        end = len(prompt) + one.index
        reference = reference_weights(network, [ALPHABET.index(c) for c in whole[:end]], len(prompt))
        torch.testing.assert_close(torch.tensor(one.weights), reference, atol=1e-4, rtol=0)
        assert "".join(one.context) == whole[end - reference.shape[-1] : end]
        assert one.token == whole[end]


def test_the_text_is_the_same_with_and_without() -> None:
    engine = make_engine(is_bpe=True)
    plain = complete(engine, REQUEST)
    asked = complete(engine, replace(REQUEST, attention=(0, 7, 40)))
    assert [(one.text, one.finish_reason) for one in asked] == [
        (one.text, one.finish_reason) for one in plain
    ]
    assert not any(one.attention for one in plain)
    engine.admit(1, replace(REQUEST, attention=tuple(range(10))))
    engine.admit(2, replace(REQUEST, seed=12))
    together = [event for _ in range(60) for event in engine.step()]
    assert text_of([one for one in together if one.key == 1]) == text_of(plain)
    assert text_of([one for one in together if one.key == 2]) == text_of(
        complete(engine, replace(REQUEST, seed=12))
    )


def test_tokens_that_are_never_drawn_or_cut_off_have_none() -> None:
    engine = make_engine()
    stop = text_of(complete(engine, REQUEST))[9:12]
    found = looked(engine, replace(REQUEST, stop=(stop,), attention=(3, 8, 11, 50)))
    assert [one.index for one in found] == [3, 8]


def test_what_is_asked_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    monkeypatch.setattr(attention, "MAX_WEIGHTS", 3 * 2 * 4 * 32)  # three tokens of this engine
    assert len(looked(engine, replace(REQUEST, attention=(0, 1, 2)))) == 3
    with pytest.raises(RequestError, match="at most 3 tokens") as caught:
        engine.admit(1, replace(REQUEST, attention=(0, 1, 2, 3)))
    assert caught.value.field == "attention"
    assert engine.num_running == 0


def test_the_bound_leaves_small_models_sixteen_and_gpt2_a_few() -> None:
    shape = {
        "training_data": "",
        "vocabulary": 2,
        "hidden_size": 768,
        "heads": 12,
        "kv_heads": 12,
        "mlp_width": 8,
    }
    assert attention.max_tokens(GPTConfig(**{**shape, "max_seq_len": 256, "num_layers": 6})) == 16
    assert attention.max_tokens(GPTConfig(**{**shape, "max_seq_len": 1024, "num_layers": 12})) == 6
    assert attention.max_tokens(GPTConfig(**{**shape, "max_seq_len": 8192, "num_layers": 48})) == 0
