"""Who may do what: the API keys, read once at start, and the line in which the start says it.

Protection that is asked for and comes out empty is an error: it must not mean that nobody is kept out.
"""

from __future__ import annotations

from pathlib import Path

from service.settings import Settings, variable_of


def read_keys(settings: Settings) -> frozenset[str]:
    """All API keys, from the setting and from the file; with none, none is asked for.

    Raises:
        OSError: the file can't be read.
        ValueError: the file is no text or holds no key, or a key is asked for on /metrics and there is none.
    """
    keys = {key.get_secret_value() for key in settings.api_keys}
    if settings.api_keys_file is not None:
        keys |= _keys_of_file(settings.api_keys_file)
    if settings.protect_metrics and not keys:
        name = variable_of("protect_metrics")
        raise ValueError(f"{name}: there is no API key to ask for; see {variable_of('api_keys')}")
    return frozenset(keys)


def _keys_of_file(path: Path) -> set[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise ValueError(f"{variable_of('api_keys_file')}: {path} is no text in UTF-8") from None
    keys = {line for line in lines if line and not line.startswith("#")}
    if not keys:
        raise ValueError(f"{variable_of('api_keys_file')}: {path} holds no key")
    return keys


def access_line(settings: Settings, keys: frozenset[str]) -> str:
    """Says who may ask, reload, and call from another site's pages."""
    if keys:
        metrics = "" if settings.protect_metrics else ", /metrics"
        who = f"whoever has one of {len(keys)} API keys (open to all: the page, /docs, /health{metrics})"
    else:
        who = "everybody who can connect, no API key asked for"
    reload = "with the admin token" if settings.admin_token is not None else "nobody by HTTP (no admin token)"
    origins = ", ".join(settings.cors_origins) or "none but the server's own"
    return f"access: {who}; reload: {reload}; web origins: {origins}"
