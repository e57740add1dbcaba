"""Every setting as a flag of ``prospero serve``; name, default and meaning are those in ``settings.py``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from service.settings import Settings, from_file, is_variable, variable_of

DESCRIPTION = """Serve every checkpoint of a folder over HTTP, until SIGTERM or Ctrl-C.

  prospero serve                                     what ./checkpoints holds, on http://127.0.0.1:8000
  prospero serve --checkpoints runs/mine --port 8080 --device cuda
  PROSPERO_PORT=8080 prospero serve                  each flag is a variable, too
  prospero serve --config prospero.toml              and a line of a file: port = 8080

A flag goes before a variable, a variable before the file, the file before the default.

Secrets are better given as variables or files: other users of the machine see a process's flags."""


PRINT_CONFIG = "--print-config"


def read_flags(program: str, arguments: list[str]) -> dict[str, Any]:
    """The settings that are given as flags, by name, as strings; unknown ones end it."""
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [FLAG …]",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        text = f"{field.description}{_default(field)}"
        if field.annotation is bool:
            parser.add_argument(flag_of(name), action=argparse.BooleanOptionalAction, help=text)
        else:
            parser.add_argument(flag_of(name), metavar=_placeholder(name, field), help=text)
    parser.add_argument(
        PRINT_CONFIG, action="store_true", help="print every setting, and where it comes from"
    )
    return vars(parser.parse_args(arguments))


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def source_of(name: str, given: Mapping[str, Any]) -> str | None:
    """Where a setting comes from: its flag, its variable, or the config file; None for its default."""
    if name in given:
        return flag_of(name)
    if is_variable(name):
        return variable_of(name)
    return "config file" if name in from_file(given) else None


def _placeholder(name: str, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    if get_origin(field.annotation) is dict:
        return "JSON"
    words = name.upper().split("_")
    return words[-1] if words[-1] in ("SECONDS", "BYTES", "FILE", "MODEL", "TOKEN") else "VALUE"


def _default(field: FieldInfo) -> str:
    return "" if field.default in (None, (), "", {}) else f" (default: {field.default})"
