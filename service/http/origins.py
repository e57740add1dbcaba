"""Which web pages may have their visitors' browsers send us requests: our own, and those of allowed origins.

CORS only keeps a page from reading answers. What it may send unasked (a form, plain text) has an effect all
the same: it takes a place in a queue, or reloads models. So foreign pages are refused all but reading.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from service.errors import ApiError

_READING = {"GET", "HEAD", "OPTIONS"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """The origins that are allowed beside our own; "*" allows any."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Raises ApiError 403 for what a browser sends for a foreign page; others send no Origin."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if not origin or method in _READING or origin in self._allowed or "*" in self._allowed:
            return
        if not _is_own(origin, headers):
            raise ApiError(403, f"pages of {origin} may not send this; see PROSPERO_CORS_ORIGINS")


def _is_own(origin: str, headers: Mapping[bytes, bytes]) -> bool:
    # No page can set these headers without being asked first; the browser or a proxy of ours does.
    if headers.get(b"sec-fetch-site") == b"same-origin":
        return True
    url = urlsplit(origin)
    port = _DEFAULT_PORTS.get(url.scheme, "")
    hosts = (headers.get(name, b"").decode("latin-1").lower() for name in (b"host", b"x-forwarded-host"))
    return bool(url.netloc) and url.netloc.removesuffix(port) in {host.removesuffix(port) for host in hosts}
