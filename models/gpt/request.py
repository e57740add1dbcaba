"""One completion to draw: one type from the endpoint to the engine. No torch: the HTTP process makes it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TextRequest:
    """One completion to draw; ranges were checked by whoever sends it. sampling.py says what draws mean."""

    prompt: str | tuple[int, ...]  # text, or ids of the model's tokens
    seed: int
    max_tokens: int = 200  # 0: the prompt is read, and nothing drawn
    max_characters: int | None = None
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    attention: tuple[int, ...] = ()  # of which drawn tokens, counted from 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    logit_bias: dict[int, float] = field(default_factory=dict)  # by token id
    min_tokens: int = 0  # before which nothing stops the text but the limits
    ignore_eos: bool = False  # the end token is drawn like any other, and is no text
    stop_token_ids: tuple[int, ...] = ()
    prompt_logprobs: int | None = None  # so many alternatives for each token of the prompt
    return_token_ids: bool = False
