"""The kinds of model that are served, one entry each: all that tells a kind from the others stands here.

A new kind takes an entry, and what the entry names. The catalogue reads `config`; the server `loader`; the
application `routes`, `default_setting`, `max_queue` and `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from models.checkpoint import CheckpointConfig
from models.gpt.config import GPTConfig
from models.landscape.config import LandscapeConfig
from models.segmenter.config import SegmenterConfig
from service.catalog import Entry
from service.endpoints import landscape, segment, text
from service.endpoints.context import EndpointContext
from service.metrics import Metrics, StepMetrics
from service.openai import chat, completions
from service.settings import SettingError, Settings
from service.workers.batching import Loader
from service.workers.loaders import LandscapeLoader, SegmentLoader, TextLoader


class Endpoint(Protocol):
    """Answers the requests of a path."""

    async def post(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class Route:
    """What answers the requests of a path, and what FastAPI's ``add_api_route`` is told of it."""

    endpoint: Callable[[EndpointContext], Endpoint]
    documentation: Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Args:
        config: what ``config.json`` says of a checkpoint whose ``kind`` this is.
        loader: makes what loads an entry within its worker: the engine, and how it batches.
        routes: the paths that take its requests, by POST.
        default_setting: the setting that names the checkpoint for requests that name none; else the first.
        max_queue: how many calls may wait for a worker.
        metrics: makes what counts a model's steps, with every series that it will have.
    """

    config: type[CheckpointConfig]
    loader: Callable[[Entry, Settings], Loader]
    routes: Mapping[str, Route]
    default_setting: str | None
    max_queue: Callable[[Settings], int]
    metrics: Callable[[Metrics, str], StepMetrics]


Kinds = Mapping[str, Kind]  # by the ``kind`` in a checkpoint's config


def _load_text(entry: Entry, settings: Settings) -> Loader:
    return TextLoader(
        entry.folder,
        settings.text_slots,
        settings.stream_interval_seconds,
        settings.threads,
        weights=settings.text_weights.get(entry.name, "auto"),
        gpu_share=settings.text_gpu_share,
    )


def _load_landscape(entry: Entry, settings: Settings) -> Loader:
    wait, most = settings.batch_wait_seconds, settings.max_batch_seconds
    return LandscapeLoader(entry.folder, wait, most, settings.threads, settings.image_gpu_share)


def _load_segmenter(entry: Entry, settings: Settings) -> Loader:
    wait, most = settings.batch_wait_seconds, settings.max_batch_seconds
    return SegmentLoader(entry.folder, wait, most, settings.threads, settings.image_gpu_share)


def image_metrics(metrics: Metrics, model: str) -> StepMetrics:
    """Of a model of images that aren't landscapes."""
    return metrics.images.of(model, is_landscape=False)


KINDS: Kinds = {
    "gpt": Kind(
        config=GPTConfig,
        loader=_load_text,
        routes={
            "/generate/text": Route(text.TextEndpoint, text.DOCUMENTATION),
            "/v1/completions": Route(completions.CompletionsEndpoint, completions.DOCUMENTATION),
            "/v1/chat/completions": Route(chat.ChatEndpoint, chat.DOCUMENTATION),
        },
        default_setting="text_model",
        max_queue=lambda settings: settings.text_queue,
        metrics=lambda metrics, model: metrics.text.of(model),
    ),
    "landscape": Kind(
        config=LandscapeConfig,
        loader=_load_landscape,
        routes={"/generate/landscape": Route(landscape.LandscapeEndpoint, landscape.DOCUMENTATION)},
        default_setting="landscape_model",
        max_queue=lambda settings: settings.landscape_queue,
        metrics=lambda metrics, model: metrics.images.of(model, is_landscape=True),
    ),
    "segmenter": Kind(
        config=SegmenterConfig,
        loader=_load_segmenter,
        routes={"/segment": Route(segment.SegmentEndpoint, segment.DOCUMENTATION)},
        default_setting="segment_model",
        max_queue=lambda settings: settings.segment_queue,
        metrics=image_metrics,
    ),
}


def configs_of(kinds: Kinds) -> dict[str, type[CheckpointConfig]]:
    """What the catalogue reads checkpoints with."""
    return {name: kind.config for name, kind in kinds.items()}


def default_models(kinds: Kinds, settings: Settings) -> dict[str, str]:
    """By kind, the name of the checkpoint for requests that name none, if a setting says."""
    named = {name: kind.default_setting for name, kind in kinds.items()}
    return {name: getattr(settings, setting) for name, setting in named.items() if setting is not None}


def check_names(settings: Settings, catalog: Sequence[Entry], kinds: Kinds) -> None:
    """Raises SettingError for a setting that was given and names a model that isn't there."""
    names = {kind: [entry.name for entry in catalog if entry.kind == kind] for kind in kinds}
    wanted = [
        (kind.default_setting, name, getattr(settings, kind.default_setting))
        for name, kind in kinds.items()
        if kind.default_setting is not None and kind.default_setting in settings.model_fields_set
    ]
    wanted += [("text_weights", "gpt", model) for model in settings.text_weights]
    for setting, kind, model in wanted:
        if model not in names[kind]:
            there = ", ".join(names[kind]) or "none"
            reason = f"no {kind} model {model!r} in {settings.checkpoints}; there: {there}"
            raise SettingError(setting, reason)
