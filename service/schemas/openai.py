"""What OpenAI's API takes and answers at ``/v1``: its names and defaults, our limits, some fields more.

Unlike `Strict`, a null is the default here and an unknown field is ignored; `service/openai/body.py` sees to
the first, and to what is known but not to be had.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema

from models.gpt.request import TextRequest
from service.schemas.fields import MAX_SEED, Timeout, none_if_random
from service.schemas.text import (
    MAX_TOP_K,
    Biases,
    MinP,
    NgramSize,
    NumTokens,
    Penalty,
    PromptText,
    RepetitionPenalty,
    StopString,
    StopStrings,
    StopTokens,
    Temperature,
    TextTimings,
    TokenId,
    TopP,
)

MAX_CHOICES = 128  # of a prompt, as OpenAI has it
MAX_PROMPTS = 2048
MAX_PROMPT_TOKENS = 32_768
MAX_TOKENS_TOGETHER = 262_144  # of all prompts; `service/openai/body.py` counts them before it reads any
MAX_LOGPROBS = 20

TokenPrompt = Annotated[list[TokenId], Field(min_length=1, max_length=MAX_PROMPT_TOKENS, fail_fast=True)]
TextPrompts = Annotated[list[PromptText], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]
TokenPrompts = Annotated[list[TokenPrompt], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]


def _form_of(prompt: Any) -> str | None:
    """Which form of a prompt this is or wants to be, as its first item says; None for none of them."""
    if not isinstance(prompt, list):
        return "str" if isinstance(prompt, str) else None
    if prompt and isinstance(prompt[0], list):
        return "list[list[int]]"
    return "list[int]" if prompt and isinstance(prompt[0], int) else "list[str]"


Prompt = Annotated[
    Annotated[PromptText, Tag("str")]
    | Annotated[TextPrompts, Tag("list[str]")]
    | Annotated[TokenPrompt, Tag("list[int]")]
    | Annotated[TokenPrompts, Tag("list[list[int]]")],
    Discriminator(
        _form_of,
        custom_error_type="no_prompt",
        custom_error_message="Input should be a text, token ids, or a list of either",
    ),
]


class StreamOptions(BaseModel):
    """``include_usage``: before the end of a stream, an event that counts its tokens."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: StrictBool | None = None


class SamplingBody(BaseModel):
    """What both routes take."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    model: StrictStr | None = Field(None, description="A name from /v1/models; the default model if absent.")
    temperature: Temperature = 1.0
    top_p: TopP = TextRequest.top_p
    n: Annotated[StrictInt, Field(ge=1, le=MAX_CHOICES)] = 1
    stop: StopString | StopStrings = Field(default_factory=list)
    seed: Annotated[
        Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | None, AfterValidator(none_if_random)
    ] = Field(
        None, description="Choice i of each prompt is drawn with seed + i; drawn at random if absent or -1."
    )
    presence_penalty: Penalty = TextRequest.presence_penalty
    frequency_penalty: Penalty = TextRequest.frequency_penalty
    logit_bias: Biases = Field(default_factory=dict)
    stream: StrictBool = False
    stream_options: StreamOptions = StreamOptions()
    user: StrictStr | None = Field(None, description="Taken and not looked at.")

    # Not OpenAI's; what they mean stands at `POST /generate/text`.
    top_k: Annotated[StrictInt, Field(ge=-1, le=MAX_TOP_K)] = Field(-1, description="-1 and 0: all tokens.")
    min_p: MinP = TextRequest.min_p
    repetition_penalty: RepetitionPenalty = TextRequest.repetition_penalty
    no_repeat_ngram_size: NgramSize = TextRequest.no_repeat_ngram_size
    ignore_eos: StrictBool = TextRequest.ignore_eos
    min_tokens: NumTokens = TextRequest.min_tokens
    stop_token_ids: StopTokens = Field(default_factory=list)
    return_token_ids: StrictBool = TextRequest.return_token_ids
    return_timings: StrictBool = False
    timeout: Timeout | None = None

    @property
    def stop_strings(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Whatever has a default may be null."""
        schema = handler.resolve_ref_schema(handler(core))
        for name, one in schema["properties"].items():
            if name not in schema.get("required", ()):
                schema["properties"][name] = {"anyOf": [one, {"type": "null"}]}
        return schema

    def draw(self, prompts: Sequence[str | Sequence[int]], **given: Any) -> list[TextRequest]:
        """A request for each choice of each prompt; what is ``given`` goes before fields of the same name."""
        top_k = self.top_k if self.top_k > 0 else None
        fields = {**vars(self), "stop": self.stop_strings, "top_k": top_k, **given, "prompt": "", "seed": 0}
        one = msgspec.convert(fields, TextRequest)
        # With a seed, each prompt gives what it gives alone; without, no two of them share one.
        first, step = (secrets.randbits(53), self.n) if self.seed is None else (self.seed, 0)
        return [
            replace(one, prompt=text, seed=(first + step * place + index) & MAX_SEED)
            for place, text in enumerate(one if isinstance(one, str) else tuple(one) for one in prompts)
            for index in range(self.n)
        ]


class CompletionBody(SamplingBody):
    """Body of ``POST /v1/completions``."""

    model_config = ConfigDict(title="CompletionRequest")

    prompt: Prompt = Field(
        description="Text, or token ids, or a list of either: "
        f"of token ids at most {MAX_TOKENS_TOGETHER} together.",
        examples=["ROMEO:"],
    )
    max_tokens: NumTokens = Field(16, description="0 draws nothing: with `echo` and `logprobs`, a score.")
    logprobs: Annotated[StrictInt, Field(ge=0, le=MAX_LOGPROBS)] | None = Field(
        None, description="Give each token's log probability and this many alternatives."
    )
    echo: StrictBool = Field(False, description="The text, and its `logprobs`, begin with the prompt's.")
    best_of: StrictInt | None = Field(None, description="Only what `n` is: nothing is drawn and withheld.")

    @field_validator("best_of")
    @classmethod
    def _is_n(cls, value: int | None, others: ValidationInfo) -> int | None:
        if value is not None and value != others.data.get("n", value):
            raise ValueError("not supported here, but as n")
        return value

    @property
    def prompts(self) -> Sequence[str | Sequence[int]]:
        """Each of them, be it one alone."""
        is_one = _form_of(self.prompt) in ("str", "list[int]")
        return cast(Sequence[str | Sequence[int]], [self.prompt] if is_one else self.prompt)

    def requests(self) -> list[TextRequest]:
        """One for each choice of each prompt."""
        prompt_logprobs = self.logprobs if self.echo else None
        return self.draw(self.prompts, prompt_logprobs=prompt_logprobs)


class CompletionLogprobs(BaseModel):
    """Of each token: text, log probability (null: it follows nothing), the likeliest ones, where it begins.

    A token that is no whole character is written ``bytes:\\xe2``. Offsets count the choice's characters.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    timings: TextTimings | None = None


class Usage(BaseModel):
    """``prompt_truncated``: the model has room for the end of a prompt only."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_truncated: bool


class CompletionResponse(BaseModel):
    """Answer of ``POST /v1/completions``; a stream's events are like it, their ``usage`` null or absent."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class OpenAIErrorDetail(BaseModel):
    """``code`` is our own ``type`` of the error, but where OpenAI's clients look for theirs."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorBody(BaseModel):
    """The body of every answer below ``/v1`` with a status of 400 or more."""

    error: OpenAIErrorDetail


class OpenAIModel(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int | None


class OpenAIModels(BaseModel):
    object: Literal["list"]
    data: list[OpenAIModel]
