"""``GET /palette``, ``/models``, ``/version`` and ``/metrics``: what there is, what serves, and how well."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from starlette.responses import Response

from models.landscape.palette import PALETTE, UNLABELLED_SOURCES
from models.version import VERSION
from service.errors import ApiError
from service.http.openapi import errors
from service.images.palette_files import PALETTE_TYPES, palette_file
from service.metrics import CONTENT_TYPE, Metrics
from service.registry import LoadedModel, ModelRegistry
from service.schemas.info import ModelEntry, ModelsResponse, PaletteEntry, PaletteResponse, VersionResponse

_PALETTE_FORMATS = ["json", *PALETTE_TYPES]
PaletteFormat = Annotated[str, Query(json_schema_extra={"enum": _PALETTE_FORMATS})]
_OF_EVERY_KIND = {"parameters", "training_data", "metrics", "device", "dtype", "determinism"}


class InfoEndpoint:
    """Reads what is known anyway; nothing here asks a worker."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    async def palette(self, format: PaletteFormat = "json") -> PaletteResponse | Response:
        """The classes that a sketch is drawn with; as `aco` for Photoshop, as `gpl` for GIMP and Krita."""
        if format in PALETTE_TYPES:
            headers = {"Content-Disposition": f'attachment; filename="prospero.{format}"'}
            return Response(palette_file(format), headers=headers, media_type=PALETTE_TYPES[format])
        if format != "json":
            raise ApiError(422, f"must be one of {', '.join(_PALETTE_FORMATS)}", "format")
        classes = [
            PaletteEntry(
                id=one.id,
                name=one.name,
                color=one.color,
                group=one.group,
                broader=one.broader or None,
                earlier_colors=list(one.earlier_colors),
                sources={dataset: list(names) for dataset, names in one.sources.items()},
            )
            for one in PALETTE
        ]
        unlabelled = {dataset: list(names) for dataset, names in UNLABELLED_SOURCES.items()}
        return PaletteResponse(classes=classes, unlabelled=unlabelled)

    async def models(self) -> ModelsResponse:
        """The loaded checkpoints: what they are, what they were trained on, how well they do."""
        return ModelsResponse(models=[self._entry(model) for model in self._models.models])

    async def version(self) -> VersionResponse:
        """The version that answers."""
        return VersionResponse(version=VERSION)

    def _entry(self, model: LoadedModel) -> ModelEntry:
        entry, said = model.entry, model.client.description
        return ModelEntry(
            name=entry.name,
            kind=entry.kind,
            default=entry.name == self._models.default_of(entry.kind),
            state=model.client.state.value,
            parameters=said.get("parameters", entry.parameters),
            training_data=entry.training_data,
            metrics=said.get("metrics", entry.metrics),
            device=said.get("device"),
            dtype=said.get("dtype"),
            determinism=said.get("determinism"),
            details={key: value for key, value in said.items() if key not in _OF_EVERY_KIND},
        )


def add_info(app: FastAPI, models: ModelRegistry) -> None:
    """Add ``/palette``, ``/models`` and ``/version``, which the OpenAPI document names, too."""
    app.version = VERSION
    info, responses = InfoEndpoint(models), errors(401, 500, 503)
    app.add_api_route(
        "/palette",
        info.palette,
        summary="The colours to draw with",
        response_model=PaletteResponse,
        responses=palette_answer() | responses | errors(422),
    )
    app.add_api_route("/models", info.models, summary="The loaded checkpoints", responses=responses)
    app.add_api_route("/version", info.version, summary="The version that answers", responses=responses)


def palette_answer() -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of the palette: JSON, or a file."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    files = {media_type.split(";")[0]: binary for media_type in PALETTE_TYPES.values()}
    return {200: {"content": files, "description": "The classes and their colours."}}


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """Add ``/metrics``."""

    async def metrics_page() -> Response:
        """Prometheus' text format."""
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    page: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/plain": {}}, "description": "The metrics."}
    }
    responses = page | errors(401, 500, 503)
    app.add_api_route("/metrics", metrics_page, summary="Prometheus metrics", responses=responses)
