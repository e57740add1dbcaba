"""Who may do what: the API keys, read at start and on SIGHUP, and the line in which the start says it.

Protection that is asked for and comes out empty is an error: it must not mean that nobody is kept out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path

from pydantic import SecretStr, ValidationError

from models.errors import reason_of
from service.api_key import ApiKey
from service.settings import SettingError, Settings, variable_of


def read_keys(settings: Settings) -> dict[str, ApiKey]:
    """All API keys by secret, from the setting and from the file; with none, none is asked for.

    Raises:
        SettingError: the file can't be read, is no text or holds no key, or a key is asked for on /metrics
            and there is none.
    """
    given = {key.get_secret_value() for key in settings.api_keys}
    keys = _without_names("key", sorted(given))
    if settings.api_keys_file is not None:
        keys |= _keys_of_file(settings.api_keys_file)
    if settings.protect_metrics and not keys:
        reason = f"there is no API key to ask for; see {variable_of('api_keys')}"
        raise SettingError("protect_metrics", reason)
    return keys


def _keys_of_file(path: Path) -> dict[str, ApiKey]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refusal(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refusal(f"{path} is no text in UTF-8") from None
    if path.suffix == ".toml":
        keys = _keys_of_toml(path, text)
    else:
        lines = [line.strip() for line in text.splitlines()]
        keys = _without_names("line", [line for line in lines if line and not line.startswith("#")])
    if not keys:
        raise _refusal(f"{path} holds no key")
    return keys


def _refusal(reason: str) -> SettingError:
    return SettingError("api_keys_file", reason)


def _without_names(word: str, secrets: list[str]) -> dict[str, ApiKey]:
    """Keys without limits, known by their place."""
    numbered = enumerate(dict.fromkeys(secrets), 1)
    return {secret: ApiKey(name=f"{word}-{number}", key=SecretStr(secret)) for number, secret in numbered}


def _keys_of_toml(path: Path, text: str) -> dict[str, ApiKey]:
    """Of a table for each key; no message repeats what stands in the file, for secrets do."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(f"{path} is no TOML: {error}") from None
    keys: dict[str, ApiKey] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise _refusal(f"{path}: {name} must be a table, [{name}]")
        try:
            key = ApiKey.model_validate({"name": name, **table})
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise _refusal(f"{path}: {name}: {place}: {reason_of(first)}") from None
        secret = key.key.get_secret_value()
        if secret in keys:
            raise _refusal(f"{path}: {name} and {keys[secret].name} have the same key")
        keys[secret] = key
    return keys


def access_line(settings: Settings, keys: Collection[str]) -> str:
    """Says who may ask, reload, and call from another site's pages."""
    if keys:
        metrics = "" if settings.protect_metrics else ", /metrics"
        who = f"whoever has one of {len(keys)} API keys (open to all: the page, /docs, /health{metrics})"
    else:
        who = "everybody who can connect, no API key asked for"
    reload = "with the admin token" if settings.admin_token is not None else "nobody by HTTP (no admin token)"
    origins = ", ".join(settings.cors_origins) or "none but the server's own"
    return f"access: {who}; reload: {reload}; web origins: {origins}"
