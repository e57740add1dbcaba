"""CORS as starlette has it, but for preflights: they are answered within our layer, as every request is."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from service.errors import ApiError


class CORSLayer(CORSMiddleware):
    """Wraps `RequestLayer`, and leaves it the answer to a preflight in the request's state."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                answer, state = self.preflight_response(headers), scope.setdefault("state", {})
                if answer.status_code == 200:
                    state["preflight"] = answer
                else:
                    state["problem"] = ApiError(answer.status_code, bytes(answer.body).decode())
                await self.app(scope, receive, send)
                return
        await super().__call__(scope, receive, send)
