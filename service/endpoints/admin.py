"""``POST /admin/reload``: load every checkpoint anew, for whoever has the admin token."""

from __future__ import annotations

import hmac
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.errors import ApiError
from service.http.auth import bearer
from service.http.openapi import ADMIN_SCHEME, errors
from service.registry import ModelRegistry
from service.schemas.info import ReloadResponse


class AdminEndpoint:
    """Without a token in the settings, there is nothing here."""

    def __init__(self, token: SecretStr | None, models: ModelRegistry) -> None:
        self._token = token
        self._models = models

    async def reload(self, request: Request) -> Response:
        """Load every checkpoint anew; the old ones serve on until the new ones work."""
        if self._token is None:
            raise ApiError(404, "not found")
        given = bearer(dict(request.scope["headers"]))
        if not hmac.compare_digest(given, self._token.get_secret_value().encode()):
            raise ApiError(401, "missing or wrong admin token; send it as Authorization: Bearer")
        outcomes = await self._models.reload()
        failed = any(error is not None for error in outcomes.values())
        return JSONResponse({"models": outcomes}, 409 if failed else 200)


def add_admin(app: FastAPI, token: SecretStr | None, models: ModelRegistry) -> None:
    """Add the routes under ``/admin``."""
    reload = AdminEndpoint(token, models).reload
    failed: dict[int | str, dict[str, Any]] = {
        409: {"model": ReloadResponse, "description": "Some could not be loaded: their old ones still serve."}
    }
    app.add_api_route(
        "/admin/reload",
        reload,
        methods=["POST"],
        summary="Load every checkpoint anew",
        response_model=ReloadResponse,
        responses=failed | errors(401, 403, 404, 408, 413, 500, 503),
        openapi_extra={"security": [{scheme: []} for scheme in ADMIN_SCHEME]},
    )
