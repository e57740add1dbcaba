"""What the host does for each token where a device draws, counted in calls: they depend on no clock."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any

import pytest

from models.gpt.device import decoder as decoder_module
from models.gpt.engine import TextEngine
from models.gpt.request import TextRequest
from tests.models.gpt.small import make_engine

SLOTS, STEPS = 64, 8


def count_calls(engine: TextEngine, num_steps: int) -> float:
    """Calls of Python's and of C's functions for each token."""
    gc.collect()  # what other tests left would be finalised, with calls, in between
    calls = num_tokens = 0

    def count(_: FrameType, event: str, __: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for _ in range(num_steps):
        sys.setprofile(count)
        events = engine.step()
        sys.setprofile(None)
        num_tokens += sum(event.num_tokens for event in events)
    return calls / num_tokens


@pytest.mark.parametrize(
    ("most", "fields"),
    [(3.0, {}), (3.4, {"max_characters": 9999}), (5.0, {"stop": ("what nobody says",)})],
    ids=["plain", "limit", "stop"],
)
def test_a_token_costs_the_host_a_few_calls(
    most: float, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_module, "BURSTS", ((0, STEPS),))
    engine = make_engine(SLOTS, draws_on_device=True)
    monkeypatch.setattr(engine.source.launcher.replays, "run", lambda _: None)  # type: ignore[attr-defined]
    for key in range(SLOTS):
        engine.admit(key, TextRequest("hear me", seed=key, max_tokens=9999, **fields))
    while len(engine.step()) < SLOTS:
        pass
    assert count_calls(engine, 4) < most
