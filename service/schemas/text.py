"""``POST /generate/text``: what it takes, within which limits, and what it answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
)

from models.gpt.request import TextRequest
from service.schemas.fields import ModelName, RequestSeed, Strict, Timeout, at_most

MAX_PROMPT_CHARACTERS = 32_768
MAX_TOKENS = 4096
MAX_TOP_K = 2**31 - 1  # more than any vocabulary has, and what a message can carry
MAX_BIASES = 1024

StopString = Annotated[StrictStr, Field(min_length=1, max_length=64)]
DrawnToken = Annotated[StrictInt, Field(ge=0, lt=MAX_TOKENS)]
TokenId = Annotated[StrictInt, Field(ge=0, le=MAX_TOP_K)]
TokenKey = Annotated[int, Field(ge=0, le=MAX_TOP_K)]  # JSON's keys are strings
Bias = Annotated[StrictFloat, Field(ge=-100, le=100)]
Penalty = Annotated[StrictFloat, Field(ge=-2, le=2)]
PromptText = Annotated[StrictStr, Field(max_length=MAX_PROMPT_CHARACTERS)]
NumTokens = Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS)]
Temperature = Annotated[StrictFloat, Field(ge=0, le=2)]
TopP = Annotated[StrictFloat, Field(gt=0, le=1)]
MinP = Annotated[StrictFloat, Field(ge=0, le=1)]
RepetitionPenalty = Annotated[StrictFloat, Field(ge=0.1, le=10)]
NgramSize = Annotated[StrictInt, Field(ge=0, le=64)]
Biases = Annotated[dict[TokenKey, Bias], Field(max_length=MAX_BIASES), at_most(MAX_BIASES)]
StopTokens = Annotated[list[TokenId], Field(max_length=64)]
StopStrings = Annotated[list[StopString], Field(max_length=4)]


class TextBody(Strict):
    """Body of ``POST /generate/text``."""

    model_config = ConfigDict(title="TextRequest")  # its name in the OpenAPI page

    # What it shares with `TextRequest`, which is all that travels on from here, has its defaults from there.

    prompt: PromptText = Field(
        description="Any Unicode text; an empty prompt counts as a newline.", examples=["ROMEO:"]
    )
    max_tokens: NumTokens = Field(
        TextRequest.max_tokens, description="0 reads the prompt and draws nothing: see `prompt_logprobs`."
    )
    max_characters: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = Field(
        TextRequest.max_characters, description="Cut the text to exactly this many characters."
    )
    temperature: Temperature = Field(TextRequest.temperature, description="Below 0.00001 is greedy.")
    top_k: Annotated[StrictInt, Field(ge=1, le=MAX_TOP_K)] | None = TextRequest.top_k
    top_p: TopP = TextRequest.top_p
    min_p: MinP = Field(
        TextRequest.min_p, description="Cut tokens less likely than this times the likeliest one."
    )
    repetition_penalty: RepetitionPenalty = Field(
        TextRequest.repetition_penalty,
        description="Logits of tokens that prompt or text have: divided by this, or multiplied if below 0.",
    )
    presence_penalty: Penalty = Field(
        TextRequest.presence_penalty, description="Taken off the logit of each token that the text has."
    )
    frequency_penalty: Penalty = Field(
        TextRequest.frequency_penalty, description="Taken off it for each time that the text has the token."
    )
    no_repeat_ngram_size: NgramSize = Field(
        TextRequest.no_repeat_ngram_size, description="So many tokens in a row never come twice; 0: they may."
    )
    logit_bias: Biases = Field(
        default_factory=dict, description="Added to the logits of these tokens, by id."
    )
    min_tokens: NumTokens = Field(
        TextRequest.min_tokens, description="Until so many are drawn, nothing stops the text but the limits."
    )
    ignore_eos: StrictBool = Field(
        TextRequest.ignore_eos, description="Go on past the model's end token, which is no text."
    )
    stop_token_ids: StopTokens = Field(
        default_factory=list, description="The text ends before the first of these."
    )
    seed: RequestSeed = Field(None, description="Choice i is drawn with seed + i; drawn at random if absent.")
    stop: StopString | StopStrings = Field(
        default_factory=list, description="One string or up to four; the text ends before the first of them."
    )
    stream: StrictBool = Field(False, description="Answer with server-sent events.")
    n: Annotated[StrictInt, Field(ge=1, le=8)] = 1
    logprobs: Annotated[StrictInt, Field(ge=0, le=10)] | None = Field(
        TextRequest.logprobs, description="Give each token's log probability and this many alternatives."
    )
    prompt_logprobs: Annotated[StrictInt, Field(ge=0, le=10)] | None = Field(
        TextRequest.prompt_logprobs,
        description="The same for each token of the prompt; null for the first, which follows nothing, and "
        "for those that the model's context has no room for.",
    )
    attention: Annotated[list[DrawnToken], Field(min_length=1, max_length=16)] | None = Field(
        None,
        description="Say what the model looked at when it drew these tokens (counted from 0, each below "
        "`max_tokens`; only with `n` = 1). Large models allow fewer: see `max_attention_tokens` in /models.",
    )
    return_token_ids: StrictBool = Field(
        TextRequest.return_token_ids, description="Give the ids of the tokens of prompt and text."
    )
    return_timings: StrictBool = Field(False, description="Say of each choice where its time went.")
    timeout: Timeout | None = Field(None, description="Seconds after which to answer 504.")
    model: ModelName | None = Field(None, description="A name from /models; the default model if absent.")

    @field_validator("prompt", "stop")
    @classmethod
    def _no_surrogates(cls, value: str | list[str]) -> str | list[str]:
        for text in [value] if isinstance(value, str) else value:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError("lone surrogates are not Unicode text") from None
        return value

    @field_validator("attention")
    @classmethod
    def _of_tokens_to_come(cls, value: list[int] | None, others: ValidationInfo) -> list[int] | None:
        if value is not None and others.data.get("n", 1) > 1:
            raise ValueError("only with n = 1")
        if value is not None and max(value) >= others.data.get("max_tokens", max(value) + 1):
            raise ValueError("tokens are counted from 0, and max_tokens ends them")
        return value

    @field_validator("min_tokens")
    @classmethod
    def _fits(cls, value: int, others: ValidationInfo) -> int:
        if value > others.data.get("max_tokens", value):
            raise ValueError("must not exceed max_tokens")
        return value

    def requests(self, seed: int) -> list[TextRequest]:
        """One for each choice, the first with ``seed``: what pydantic has checked becomes what travels."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        given = {**vars(self), "stop": stop, "attention": self.attention or (), "seed": seed}
        first = msgspec.convert(given, TextRequest)
        return [first, *(replace(first, seed=seed + index) for index in range(1, self.n))]


class AlternativeToken(BaseModel):
    token: str
    logprob: float


class TokenLogprob(BaseModel):
    """A token with its natural-log probability before temperature, penalties and cuts."""

    token: str
    logprob: float
    top: list[AlternativeToken]


class TokenAttention(BaseModel):
    """What the model looked at when it drew the token ``index``: attention after softmax, to five decimals.

    ``context`` are the tokens that it could see, of prompt and text, oldest first; the last is the one before
    ``token``. ``weights[layer][head][i]`` belongs to ``context[i]``; each head's sum to 1.
    """

    index: int
    token: str
    context: list[str]
    weights: list[list[list[float]]]


class TextTimings(BaseModel):
    """Where a choice's time went: waiting, until its first token, from there to the last.

    ``tokens_per_second``: of those after the first; null if there are none.
    """

    queue_seconds: float
    prefill_seconds: float
    decode_seconds: float
    tokens_per_second: float | None


class TextPiece(BaseModel):
    """What is new of a choice, to be appended; its last piece has ``seed`` and ``finish_reason``.

    Tokens that are listed are those of the text: of one that ``stop`` or ``max_characters`` cut, all of it.
    """

    index: int
    text: str
    seed: int | None = None
    finish_reason: Literal["stop", "length"] | None
    logprobs: list[TokenLogprob] | None = None
    prompt_logprobs: list[TokenLogprob | None] | None = None
    attention: list[TokenAttention] | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    timings: TextTimings | None = None


class TextChoice(TextPiece):
    """A choice, whole."""

    seed: int
    finish_reason: Literal["stop", "length"]


class TextUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    prompt_truncated: bool


class TextResponse(BaseModel):
    """Answer of ``POST /generate/text`` when not streamed."""

    id: str
    model: str
    choices: list[TextChoice]
    usage: TextUsage


class TextEvent(BaseModel):
    """The data of an event of a streamed text. The last before ``[DONE]`` has ``usage``, and no choices."""

    id: str
    model: str
    choices: list[TextPiece]
    usage: TextUsage | None = None
