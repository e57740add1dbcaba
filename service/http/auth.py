"""API keys: who may ask, and for which paths nobody needs one."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from service.errors import ApiError


def bearer(headers: Mapping[bytes, bytes]) -> bytes:
    """What ``Authorization: Bearer …`` carries (the scheme in any case: RFC 9110, 11.1); empty for none."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


class ApiKeys:
    """The keys that are accepted; with none, everything is open.

    Args:
        open_paths: paths that need no key.
    """

    def __init__(self, keys: frozenset[str], open_paths: frozenset[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._open_paths = open_paths

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Raises ApiError 401 for a request without a known key."""
        if not self._keys or path in self._open_paths:
            return
        given = headers.get(b"x-api-key") or bearer(headers)
        # Compare with every key, so that the time tells nothing about which came close.
        if not sum(hmac.compare_digest(given, key) for key in self._keys):
            raise ApiError(401, "missing or unknown API key; send it as X-API-Key or Authorization: Bearer")
