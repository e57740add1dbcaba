"""List what a server has loaded.

prospero models
prospero models --json --url https://models.example"""

from __future__ import annotations

import argparse
import json
from typing import Any

from client.connection import add_server, connect
from client.errors import ClientError, one_line

COLUMNS = ("name", "kind", "state", "parameters", "device", "dtype")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all that the server says of them")
    add_server(parser)


async def run(args: argparse.Namespace) -> None:
    async with connect(args) as connection:
        answer = await connection.ask("GET", "/models")
    try:
        models = answer.json()["models"]
        print(json.dumps(models, indent=2) if args.json else table(models))
    except (ValueError, KeyError, TypeError):
        raise ClientError(f"{args.url} is another kind of server: its /models is none of ours") from None


def table(models: list[dict[str, Any]]) -> str:
    """A line for each; the default of its kind has an asterisk."""
    rows = [list(COLUMNS)]
    for model in models:
        row = [one_line(str(model[column] if model[column] is not None else "–")) for column in COLUMNS]
        rows.append([row[0] + ("*" if model["default"] else ""), *row[1:]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
