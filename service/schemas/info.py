"""What ``/palette``, ``/models``, ``/health`` and ``/version`` answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class PaletteEntry(BaseModel):
    id: int
    name: str
    color: str = Field(pattern=r"^#[0-9a-f]{6}$")
    group: str
    broader: str | None = Field(description="The class that this one was split off; what older models paint.")
    earlier_colors: list[str] = Field(description="Taken as well: what the class was drawn in before.")
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


class VersionResponse(BaseModel):
    """Of the server; the contract follows semantic versioning (CHANGELOG.md)."""

    version: str


class ModelChangeResponse(BaseModel):
    """What has become of a model: ``ready`` or ``unloaded``."""

    name: str
    state: str


class ModelState(BaseModel):
    """``state`` is "loading", "unloading", or what the worker of a served model is doing."""

    name: str
    kind: str
    state: str
    default: bool = Field(description="Whether it answers requests that name no model of its kind.")


class ModelStatesResponse(BaseModel):
    models: list[ModelState]


class ReloadResponse(BaseModel):
    """Per model null, or why the old one still serves."""

    models: dict[str, str | None]
