"""``GET /version``, and the version that the OpenAPI document names."""

from __future__ import annotations

from fastapi import FastAPI

from models.version import VERSION
from service.http.openapi import errors
from service.schemas.info import VersionResponse


def add_version(app: FastAPI) -> None:
    """Let a client ask what answers it."""

    async def version() -> VersionResponse:
        return VersionResponse(version=VERSION)

    app.version = VERSION
    few = errors(401, 500, 503)
    app.add_api_route("/version", version, summary="The version that answers", responses=few)
