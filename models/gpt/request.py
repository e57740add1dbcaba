"""One completion to draw: one type from the endpoint to the engine. No torch: the HTTP process makes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextRequest:
    """One completion to draw; ranges were checked by whoever sends it."""

    prompt: str
    seed: int
    max_tokens: int = 200
    max_characters: int | None = None
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    attention: tuple[int, ...] = ()  # of which drawn tokens, counted from 0
