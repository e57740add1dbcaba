"""``GET /health``, ``/health/ready`` and ``/health/live``: is it up, and does it serve every model?"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from service.lifecycle import Lifecycle, Phase
from service.registry import ModelRegistry
from service.schemas.info import HealthResponse
from service.workers.client import State

PATHS = frozenset({"/health", "/health/live", "/health/ready"})


class HealthEndpoint:
    """Answers from the workers' states and the server's phase."""

    def __init__(self, models: ModelRegistry, lifecycle: Lifecycle) -> None:
        self._models = models
        self._lifecycle = lifecycle

    async def live(self) -> Response:
        """200 as long as the HTTP process answers at all."""
        return JSONResponse({"status": "ok", "engines": self._states()})

    async def ready(self) -> Response:
        """200 when every model is ready and the server is not draining; 503 otherwise."""
        if self._lifecycle.phase is not Phase.SERVING:
            status = "draining"
        else:
            away = [f"{name} {state}" for name, state in self._states().items() if state != State.READY]
            status = ", ".join(away) or "ok"
        body = HealthResponse(status=status, engines=self._states())
        headers = {} if status == "ok" else {"Retry-After": "1"}
        return JSONResponse(body.model_dump(), 200 if status == "ok" else 503, headers)

    def _states(self) -> dict[str, str]:
        return {name: state.value for name, state in self._models.states().items()}


def add_health(app: FastAPI, models: ModelRegistry, lifecycle: Lifecycle) -> None:
    """Add the routes under ``/health``."""
    health = HealthEndpoint(models, lifecycle)
    not_ready: dict[int | str, dict[str, Any]] = {
        200: {"model": HealthResponse},
        503: {"model": HealthResponse, "description": "Not ready; `status` says why."},
    }
    for path in ("/health", "/health/ready"):
        app.add_api_route(path, health.ready, summary="Readiness", responses=not_ready)
    alive: dict[int | str, dict[str, Any]] = {200: {"model": HealthResponse}}
    app.add_api_route("/health/live", health.live, summary="Liveness", responses=alive)
