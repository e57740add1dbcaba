"""Settings as TOML: a file of them, and what `prospero serve --print-config` prints, which is such a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr


def read_config(path: Path, known: Collection[str]) -> dict[str, Any]:
    """A file's settings by name; no message repeats a value, for some are secret.

    Raises:
        ValueError: it can't be read, is no TOML, or has something that is not ``known``.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    if unknown := sorted(values.keys() - set(known)):
        raise ValueError(f"{path}: unknown setting {', '.join(unknown)}")
    return values


def format_config(settings: BaseModel, source_of: Callable[[str], str | None]) -> str:
    """Every setting, its value and where that comes from; what is secret or unset is a comment."""
    lines = []
    for name, field in type(settings).model_fields.items():
        value, source = getattr(settings, name), source_of(name) or "default"
        is_secret = SecretStr.__name__ in repr(field.annotation)
        if value is None or (is_secret and not value):
            lines.append(f"# {name}: unset  # {source}")
        elif is_secret or name == "config":
            lines.append(f"# {name}: {'**********' if is_secret else value}  # {source}")
        else:
            lines.append(f"{name} = {_toml(value)}  # {source}")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    """Strings, numbers and booleans are written as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)
