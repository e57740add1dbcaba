"""``/admin/…``: models as they come, go, and are loaded anew, for whoever has the admin token."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api_key import ApiKey
from service.errors import ApiError
from service.http.auth import bearer
from service.http.openapi import ADMIN_SCHEME, errors
from service.model_changes import ModelChanges
from service.registry import ModelRegistry
from service.schemas.info import ModelChangeResponse, ModelState, ModelStatesResponse, ReloadResponse

log = logging.getLogger("prospero.admin")


class AdminEndpoint:
    """Without a token in the settings, there is nothing here."""

    def __init__(self, token: SecretStr | None, models: ModelRegistry, changes: ModelChanges) -> None:
        self._token = token
        self._models = models
        self._changes = changes

    async def reload(self, request: Request) -> Response:
        """Load every checkpoint anew; the old ones serve on until the new ones work."""
        self._check(request)
        outcomes = await self._models.reload()
        failed = any(error is not None for error in outcomes.values())
        return JSONResponse({"models": outcomes}, 409 if failed else 200)

    async def models(self, request: Request) -> ModelStatesResponse:
        """Every model that has a worker, or is to have one: those that come and go, too."""
        self._check(request)
        told = self._models
        states = {name: client.state.value for name, client in told.clients.items()}
        states |= dict.fromkeys(told.loading, "loading") | dict.fromkeys(told.unloading, "unloading")
        kinds = {name: told.workers[name].kind for name in states}
        return ModelStatesResponse(
            models=[
                ModelState(name=name, kind=kind, state=states[name], default=name == told.default_of(kind))
                for name, kind in kinds.items()
            ]
        )

    async def load(self, request: Request, name: str) -> Response:
        """Serve one more checkpoint of the folder; answered once it is ready. One that serves stays."""
        self._check(request)
        await self._audited(request, "load", name, self._changes.load)
        return JSONResponse({"name": name, "state": self._models.clients[name].state.value})

    async def unload(self, request: Request, name: str) -> Response:
        """Take no more requests for a model; answered once those under way are, and its memory is free."""
        self._check(request)
        await self._audited(request, "unload", name, self._changes.unload)
        return JSONResponse({"name": name, "state": "unloaded"})

    async def make_default(self, request: Request, name: str) -> Response:
        """Have a model answer requests that name none of its kind, until the server ends."""
        self._check(request)
        await self._audited(request, "default", name, self._changes.make_default)
        return JSONResponse({"name": name, "state": self._models.clients[name].state.value})

    def _check(self, request: Request) -> None:
        """Raises ApiError 404 if there is no token, 401 for whoever does not have it."""
        if self._token is None:
            raise ApiError(404, "not found")
        given = bearer(dict(request.scope["headers"]))
        if not hmac.compare_digest(given, self._token.get_secret_value().encode()):
            raise ApiError(401, "missing or wrong admin token; send it as Authorization: Bearer")

    async def _audited(
        self, request: Request, what: str, name: str, change: Callable[[str], Awaitable[object]]
    ) -> None:
        key: ApiKey | None = getattr(request.state, "api_key", None)
        who = {"model": name, "key": "-" if key is None else key.name, "client": _address(request)}
        try:
            await change(name)
        except ApiError as error:
            log.warning("%s refused: %s", what, error.message, extra={"fields": who})
            raise
        log.info("%s done", what, extra={"fields": who})


def _address(request: Request) -> str:
    return "-" if request.client is None else request.client.host


def add_admin(app: FastAPI, token: SecretStr | None, models: ModelRegistry, changes: ModelChanges) -> None:
    """Add the routes under ``/admin``."""
    admin = AdminEndpoint(token, models, changes)
    security: dict[str, Any] = {"security": [{scheme: []} for scheme in ADMIN_SCHEME]}
    failed: dict[int | str, dict[str, Any]] = {
        409: {"model": ReloadResponse, "description": "Some could not be loaded: their old ones still serve."}
    }
    app.add_api_route(
        "/admin/reload",
        admin.reload,
        methods=["POST"],
        summary="Load every checkpoint anew",
        response_model=ReloadResponse,
        responses=failed | errors(401, 403, 404, 408, 413, 500, 503),
        openapi_extra=security,
    )
    app.add_api_route(
        "/admin/models",
        admin.models,
        summary="What every model is doing",
        responses=errors(401, 403, 404, 500, 503),
        openapi_extra=security,
    )
    for what, change, summary, more in (
        ("load", admin.load, "Serve one more checkpoint", (422, 507)),
        ("unload", admin.unload, "Serve one less", ()),
        ("default", admin.make_default, "Have it answer requests that name no model", ()),
    ):
        app.add_api_route(
            f"/admin/models/{{name}}/{what}",
            change,
            methods=["POST"],
            summary=summary,
            response_model=ModelChangeResponse,
            responses=errors(401, 403, 404, 408, 409, 413, *more, 500, 503),
            openapi_extra=security,
        )
