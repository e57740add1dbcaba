"""``GET /docs``: the contract as a page, Swagger UI; everything it needs is served from here."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.routing import Route

from service.endpoints.static import StaticFile

FROM_FASTAPI = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})  # its own pages, which ask other hosts
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}


def add_docs(app: FastAPI, root_path: str) -> frozenset[str]:
    """Serve the page in place of FastAPI's.

    Args:
        root_path: the prefix that a proxy in front strips.

    Returns:
        The paths that need no API key: what they hold is no secret, and a browser's address bar sends none.
    """
    app.router.routes[:] = [one for one in app.router.routes if getattr(one, "path", "") not in FROM_FASTAPI]
    folder = files("fastapi_offline") / "static"
    pages = {f"/docs/{name}": StaticFile((folder / name).read_bytes(), kind) for name, kind in ASSETS.items()}
    pages["/docs"] = _page(app, root_path)
    for path, file in pages.items():
        app.router.routes.append(Route(path, file.answer, include_in_schema=False))
    return frozenset({*pages, str(app.openapi_url)})


def _page(app: FastAPI, root_path: str) -> StaticFile:
    script, style, icon = (f"{root_path}/docs/{name}" for name in ASSETS)
    page = bytes(
        get_swagger_ui_html(
            openapi_url=f"{root_path}{app.openapi_url}",
            title=app.title,
            swagger_js_url=script,
            swagger_css_url=style,
            swagger_favicon_url=icon,
        ).body
    )
    inline = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one).digest()).decode() for one in inline]
    policy = [
        "default-src 'none'",
        " ".join(["script-src 'self'", *(f"'sha256-{one}'" for one in hashes)]),
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles as it goes
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return StaticFile(page, "text/html; charset=utf-8", "; ".join(policy))
