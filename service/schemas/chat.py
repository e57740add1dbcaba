"""What ``POST /v1/chat/completions`` takes and answers; what it shares with completions is in `openai`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
)

from models.gpt.chat import Role
from models.gpt.request import TextRequest
from service.schemas.openai import MAX_LOGPROBS, SamplingBody, Usage
from service.schemas.text import MAX_TOKENS, NumTokens, PromptText, TextTimings

MAX_MESSAGES = 1024
MAX_PARTS = 256  # of one message


class ContentPart(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["text"]
    text: PromptText


class ChatMessage(BaseModel):
    """``name``: who speaks, where the role's usual name won't do."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: PromptText | Annotated[list[ContentPart], Field(max_length=MAX_PARTS, fail_fast=True)]
    name: Annotated[StrictStr, Field(max_length=64)] | None = None

    @property
    def speaker(self) -> Role:
        """The template's word for the role."""
        return "system" if self.role == "developer" else self.role

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(one.text for one in self.content)


class ChatBody(SamplingBody):
    """Body of ``POST /v1/chat/completions``."""

    model_config = ConfigDict(title="ChatCompletionRequest")

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)] = (
        Field(examples=[[{"role": "user", "content": "What light through yonder window breaks?"}]])
    )
    max_tokens: NumTokens | None = Field(None, description="The earlier name of `max_completion_tokens`.")
    max_completion_tokens: NumTokens | None = Field(
        None, description="As many as the model's context has, if absent."
    )
    logprobs: StrictBool = Field(False, description="Give each token's log probability.")
    top_logprobs: Annotated[StrictInt, Field(ge=0, le=MAX_LOGPROBS)] = Field(
        0, description="And this many alternatives."
    )

    @field_validator("top_logprobs")
    @classmethod
    def _of_logprobs(cls, value: int, others: ValidationInfo) -> int:
        if value and not others.data.get("logprobs", True):
            raise ValueError("only with logprobs")
        return value

    def requests(self, prompt: str, stop: Sequence[str], context: int | None) -> list[TextRequest]:
        """One for each choice, of the messages as a ``prompt``; the template's ``stop`` ends it, too."""
        asked = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        return self.draw(
            [prompt],
            max_tokens=min(context or MAX_TOKENS, MAX_TOKENS) if asked is None else asked,
            logprobs=self.top_logprobs if self.logprobs else None,
            stop=[*self.stop_strings, *stop],
        )


class AnsweredMessage(BaseModel):
    role: Literal["assistant"]
    content: str
    refusal: None


class ChatAlternative(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class ChatLogprob(ChatAlternative):
    top_logprobs: list[ChatAlternative]


class ChatLogprobs(BaseModel):
    content: list[ChatLogprob]
    refusal: None


class ChatChoice(BaseModel):
    index: int
    message: AnsweredMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    timings: TextTimings | None = None


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str


class ChatPiece(BaseModel):
    index: int
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    timings: TextTimings | None = None


class ChatEvent(BaseModel):
    """What is new in a stream: each choice's role, its text in pieces, and at last, on request, the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatPiece]
    usage: Usage | None = None


class ChatResponse(BaseModel):
    """Answer of ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
