"""API keys: who may ask, and for which paths nobody needs one."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from service.api_key import ApiKey
from service.errors import ApiError
from service.http.key_limits import KeyUse


def bearer(headers: Mapping[bytes, bytes]) -> bytes:
    """What ``Authorization: Bearer …`` carries (the scheme in any case: RFC 9110, 11.1); empty for none."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


class ApiKeys:
    """The keys that are accepted; with none, everything is open.

    Args:
        keys: by secret.
        open_paths: paths that need no key.
    """

    def __init__(self, keys: Mapping[str, ApiKey], open_paths: frozenset[str]) -> None:
        self._uses: list[tuple[bytes, KeyUse]] = []
        self._open_paths = open_paths
        self.replace(keys)

    def replace(self, keys: Mapping[str, ApiKey]) -> None:
        """Take other keys; one that stays as it was keeps its account."""
        before = {use.key: use for _, use in self._uses}
        self._uses = [(secret.encode(), before.get(key) or KeyUse(key)) for secret, key in keys.items()]

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> KeyUse | None:
        """Whose request it is; None where no key is asked for. Raises ApiError 401 without a known key."""
        if not self._uses or path in self._open_paths:
            return None
        given = headers.get(b"x-api-key") or bearer(headers)
        # Compare with every key, so that the time tells nothing about which came close.
        found = [use for secret, use in self._uses if hmac.compare_digest(given, secret)]
        if not found:
            raise ApiError(401, "missing or unknown API key; send it as X-API-Key or Authorization: Bearer")
        return found[0]

    def line_of(self, use: KeyUse | None) -> str | None:
        """Where its requests wait: each of several keys has a line of its own, see `FairQueue`."""
        return use.key.name if use is not None and len(self._uses) > 1 else None

    def lines(self) -> list[str]:
        """The lines that there are."""
        return [use.key.name for _, use in self._uses] if len(self._uses) > 1 else []
