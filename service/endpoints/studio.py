"""The page at ``/`` and its parts under ``/studio``: files read once, at start, and sent from memory."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.endpoints.static import StaticFile

log = logging.getLogger("prospero")

FOLDER = Path(__file__).resolve().parents[2] / "studio"
INDEX = "index.html"
# Only these leave the folder: whatever else lies in it is nobody's business.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page needs nothing but this server; generated pictures are blobs and data URLs.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


def read_files(folder: Path) -> dict[str, StaticFile]:
    """Everything in ``folder`` that may be served, by its path below it."""
    files = {}
    for path in sorted(folder.rglob("*")):
        media_type = MEDIA_TYPES.get(path.suffix)
        if media_type is not None and path.is_file() and "node_modules" not in path.parts:
            name = path.relative_to(folder).as_posix()
            files[name] = StaticFile(path.read_bytes(), media_type, POLICY)
    return files


def add_studio(app: FastAPI, folder: Path = FOLDER) -> frozenset[str]:
    """Serve the page at ``/``; without its folder there is none, and the API stands alone.

    Returns:
        The paths served, which need no API key: they hold nothing but the page, which asks for one itself.
    """
    files = read_files(folder)
    if INDEX not in files:
        log.warning("no page at /: %s has no %s", folder, INDEX)
        return frozenset()

    async def part(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        request.scope["route"] = parts  # for the counts; FastAPI's own routes tell it themselves
        return await file.answer(request)

    parts = Route("/studio/{name:path}", part, include_in_schema=False)
    app.router.routes += [Route("/", files[INDEX].answer, include_in_schema=False), parts]
    return frozenset({"/", *(f"/studio/{name}" for name in files)})
