"""What clients send and get: every limit of the HTTP contract stands here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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

MAX_PROMPT_CHARACTERS = 32_768
MAX_TOKENS = 4096
MAX_SEED = 2**53 - 1  # the largest integer that JavaScript holds exactly

Seed = Annotated[StrictInt, Field(ge=0, le=MAX_SEED)]
StopString = Annotated[StrictStr, Field(min_length=1, max_length=64)]
DrawnToken = Annotated[StrictInt, Field(ge=0, lt=MAX_TOKENS)]
Timeout = Annotated[StrictFloat | StrictInt, Field(gt=0, le=86_400)]
ImageFormat = Literal["png", "jpeg", "webp"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TextRequest(_Strict):
    """Body of ``POST /generate/text``."""

    prompt: Annotated[StrictStr, Field(max_length=MAX_PROMPT_CHARACTERS)] = Field(
        description="Any Unicode text; an empty prompt counts as a newline.", examples=["ROMEO:"]
    )
    max_tokens: Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)] = 200
    max_characters: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = Field(
        None, description="Cut the text to exactly this many characters."
    )
    temperature: Annotated[StrictFloat | StrictInt, Field(ge=0, le=2)] = Field(
        0.8, description="0 is greedy."
    )
    top_k: Annotated[StrictInt, Field(ge=1)] | None = None
    top_p: Annotated[StrictFloat | StrictInt, Field(gt=0, le=1)] = 1.0
    seed: Seed | None = Field(None, description="Choice i is drawn with seed + i; drawn at random if absent.")
    stop: StopString | Annotated[list[StopString], Field(max_length=4)] = Field(
        default_factory=list, description="One string or up to four; the text ends before the first of them."
    )
    stream: StrictBool = Field(False, description="Answer with server-sent events.")
    n: Annotated[StrictInt, Field(ge=1, le=8)] = 1
    logprobs: Annotated[StrictInt, Field(ge=0, le=10)] | None = Field(
        None, description="Give each token's log probability and this many alternatives."
    )
    attention: Annotated[list[DrawnToken], Field(min_length=1, max_length=16)] | None = Field(
        None,
        description="Say what the model looked at when it drew these tokens (counted from 0, each below "
        "`max_tokens`; only with `n` = 1). Large models allow fewer: see `max_attention_tokens` in /models.",
    )
    timeout: Timeout | None = Field(None, description="Seconds after which to answer 504.")
    model: StrictStr | None = Field(None, description="A name from /models; the default model if absent.")

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

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class AlternativeToken(BaseModel):
    token: str
    logprob: float


class TokenLogprob(BaseModel):
    """A generated token with its natural-log probability before temperature and truncation."""

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


class TextChoice(BaseModel):
    index: int
    text: str
    seed: int
    finish_reason: Literal["stop", "length"]
    logprobs: list[TokenLogprob] | None = None
    attention: list[TokenAttention] | None = None


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


class ImageParameters(_Strict):
    """Parameters that every image endpoint takes, in the query, in the form, or in the JSON body."""

    format: ImageFormat | None = Field(None, description="Decides over Accept among image types.")
    timeout: Timeout | None = None
    model: StrictStr | None = None


class LandscapeParameters(ImageParameters):
    """Parameters of ``POST /generate/landscape``."""

    seed: Seed | None = Field(None, description="Image i is drawn with seed + i; drawn at random if absent.")
    n: Annotated[StrictInt, Field(ge=1, le=4)] = 1
    class_seeds: dict[StrictStr, Seed] | None = Field(
        None, description="Seeds for single classes, by name; the others follow `seed`."
    )


class SegmentParameters(ImageParameters):
    """Parameters of ``POST /segment``."""


class ImageEntry(BaseModel):
    """One image of a JSON answer; ``seed`` is null where no seed is involved."""

    index: int
    seed: int | None
    format: ImageFormat
    width: int
    height: int
    base64: str


class LandscapeResponse(BaseModel):
    """Answer of ``POST /generate/landscape`` as JSON. ``classes``: each drawn class's share of the pixels."""

    id: str
    model: str
    unmatched_fraction: float
    classes: dict[str, float]
    images: list[ImageEntry]


class SegmentResponse(BaseModel):
    """Answer of ``POST /segment`` as JSON: the palette-coloured label map and each class's share."""

    id: str
    model: str
    classes: dict[str, float]
    image: ImageEntry


class PaletteEntry(BaseModel):
    id: int
    name: str
    color: str = Field(pattern=r"^#[0-9a-f]{6}$")
    group: str
    sources: dict[str, list[str]]


class PaletteResponse(BaseModel):
    """Answer of ``GET /palette``. ``unlabelled``: source classes that no palette class absorbs."""

    classes: list[PaletteEntry]
    unlabelled: dict[str, list[str]]


class ModelEntry(BaseModel):
    """One loaded checkpoint. ``details`` is what only its kind has (context, tokenizer, image size …)."""

    name: str
    kind: str
    default: bool
    state: str
    parameters: int
    training_data: str
    metrics: dict[str, Any]
    device: str | None
    dtype: str | None
    determinism: str | None
    details: dict[str, Any]


class ModelsResponse(BaseModel):
    models: list[ModelEntry]


class HealthResponse(BaseModel):
    """``status`` is "ok", or why not; ``engines`` has each engine's state."""

    status: str
    engines: dict[str, str]
