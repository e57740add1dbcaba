"""Write a text, which goes to stdout as it comes. What is not given is the server's default.

prospero generate "ROMEO:" --seed 7
prospero generate - --max-tokens 200 < prompt.txt"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, Self

from client.arguments import number, text
from client.connection import add_server, connect
from client.errors import ClientError
from client.events import read_events

NUMBERS: dict[str, tuple[Callable[[str], float], str]] = {
    "max_tokens": (int, "the most to draw"),
    "max_characters": (int, "cut the text to these"),
    "temperature": (number, "0 takes the likeliest token"),
    "top_k": (int, "draw from the likeliest k"),
    "top_p": (number, "draw from the likeliest that make up p"),
    "min_p": (number, "cut tokens less likely than this times the likeliest"),
    "repetition_penalty": (number, "above 1: what was there is less likely"),
    "seed": (int, "the same seed, the same text"),
}
CONTROLS = {code: "\ufffd" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", type=text, help="what the text goes on from; -: stdin")
    for name, (kind, says) in NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=says)
    parser.add_argument(
        "--stop", type=text, action="append", help="end before this; may be given several times"
    )
    parser.add_argument("--model", type=text, help="a name from `prospero models`")
    parser.add_argument("--echo", action="store_true", help="begin with the prompt")
    add_server(parser)


async def run(args: argparse.Namespace) -> None:
    prompt = read_stdin() if args.prompt == "-" else args.prompt
    given = {name: getattr(args, name) for name in (*NUMBERS, "stop", "model")}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    body |= {"prompt": prompt, "stream": True}
    async with connect(args) as connection, connection.stream("/generate/text", body) as chunks:
        with Writer() as writer:
            writer.write(prompt if args.echo else "")
            async for event in read_events(chunks):
                writer.write("".join(choice["text"] for choice in event.get("choices", ())))


def read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ClientError(f"stdin is not UTF-8 (byte {error.start})") from None


class Writer:
    """To stdout, at once. A terminal gets no control characters, and a newline at the end."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._last = ""

    def write(self, text: str) -> None:
        if not text:
            return
        self._last = text[-1]
        sys.stdout.write(text.translate(CONTROLS) if self._is_terminal else text)
        sys.stdout.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal and self._last not in ("", "\n"):
            print()
