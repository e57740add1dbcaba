"""How OpenAI's API reads a body: a null is the default; what can't be had is refused by name."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from service.errors import ApiError, from_validation
from service.http.large_json import known_part
from service.schemas.openai import MAX_TOKENS_TOGETHER, SamplingBody

Body = TypeVar("Body", bound=SamplingBody)

# Fields of OpenAI's, of vLLM's and of our other door, each with the values that ask for nothing.
UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "allowed_token_ids": (),
    "attention": (),
    "audio": (),
    "bad_words": ([],),
    "function_call": ("none",),
    "functions": ([],),
    "grammar": ("",),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "json_schema": (),
    "max_characters": (),
    "modalities": (["text"],),
    "prompt_embeds": (),
    "prompt_logprobs": (),
    "response_format": ({"type": "text"},),
    "structured_outputs": (),
    "suffix": ("",),
    "tool_choice": ("none",),
    "tools": ([],),
    "truncate_prompt_tokens": (),
    "use_beam_search": (False,),
}


def read_body(schema: type[Body], body: bytes) -> Body:
    """Raises ApiError 400 for what is not JSON, 422 for what the schema refuses or is not supported."""
    body = known_part(body, {*schema.model_fields, *UNSUPPORTED}, roomy={"prompt": MAX_TOKENS_TOGETHER})
    try:
        given = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(400, f"malformed JSON: {error}") from None
    if not isinstance(given, dict):
        raise ApiError(422, "the body must be a JSON object")
    given = {name: value for name, value in given.items() if value is not None}
    for name, harmless in UNSUPPORTED.items():
        if name in given and given[name] not in harmless:
            raise ApiError(422, "not supported here", name)
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        raise from_validation(error) from None
