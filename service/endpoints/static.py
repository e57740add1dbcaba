"""A file that is sent from memory, and asked for again only to hear that it hasn't changed."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response


class StaticFile:
    """Its bytes, read at start, and what goes with them.

    Args:
        policy: its Content-Security-Policy; empty for none.
    """

    def __init__(self, data: bytes, media_type: str, policy: str = "") -> None:
        self.data = data
        self.media_type = media_type
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        # Asked again each time, so that a new release is seen at once; the answer is then mostly a 304.
        self._headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if policy:
            self._headers["Content-Security-Policy"] = policy

    async def answer(self, request: Request) -> Response:
        """Send it; 304 to whoever has it already."""
        if self._headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=self._headers)
        return Response(self.data, headers=self._headers, media_type=self.media_type)
