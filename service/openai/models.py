"""``GET /v1/models`` and ``/v1/models/{id}``: the text models, as OpenAI's API lists them."""

from __future__ import annotations

from fastapi import FastAPI

from service.openai.errors import openai_errors
from service.registry import LoadedModel, ModelRegistry
from service.schemas.openai import OpenAIModel, OpenAIModels

KIND = "gpt"  # the other kinds make images, which no route below /v1 does


def add_openai_models(app: FastAPI, models: ModelRegistry) -> None:
    """Add both routes."""

    async def all_models() -> OpenAIModels:
        """The loaded text models; the default one first."""
        default = models.default_of(KIND)
        texts = [model for model in models.models if model.entry.kind == KIND]
        return OpenAIModels(
            object="list",
            data=[_told(one) for one in sorted(texts, key=lambda one: one.entry.name != default)],
        )

    async def one_model(name: str) -> OpenAIModel:
        """One of them."""
        return _told(models.find(KIND, name))

    responses = openai_errors(401, 500, 503)
    app.add_api_route("/v1/models", all_models, summary="The text models", responses=responses)
    app.add_api_route(
        "/v1/models/{name:path}", one_model, summary="A text model", responses=responses | openai_errors(404)
    )


def _told(model: LoadedModel) -> OpenAIModel:
    return OpenAIModel(
        id=model.entry.name,
        object="model",
        created=model.entry.modified,
        owned_by="prospero",
        max_model_len=model.client.description.get("context"),
    )
