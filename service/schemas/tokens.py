"""``POST /tokenize`` and ``/detokenize``: vLLM's names."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StrictStr

from service.schemas.fields import Strict
from service.schemas.text import PromptText, TokenId

MAX_TOKENS_AT_ONCE = 65_536


class TokenizeBody(Strict):
    """Body of ``POST /tokenize``."""

    prompt: PromptText = Field(examples=["ROMEO:"])
    model: StrictStr | None = Field(None, description="A name from /models; the default model if absent.")
    return_token_strs: StrictBool = Field(False, description="Give each token's text, too.")


class TokenizeResponse(BaseModel):
    """``count``: how many; ``max_model_len``: how many the model sees at once, null while it loads."""

    tokens: list[int]
    count: int
    max_model_len: int | None
    token_strs: list[str] | None = None


class DetokenizeBody(Strict):
    """Body of ``POST /detokenize``."""

    tokens: Annotated[list[TokenId], Field(max_length=MAX_TOKENS_AT_ONCE, fail_fast=True)]
    model: StrictStr | None = Field(None, description="A name from /models; the default model if absent.")


class DetokenizeResponse(BaseModel):
    prompt: str
