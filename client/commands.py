"""The commands that talk to a server, and how each is run.

A command is a module with ``add_arguments(parser)`` and ``async run(args)``, imported once it is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import sys
from typing import NamedTuple, NoReturn

from client.errors import ClientError


class Command(NamedTuple):
    """Where it is, and what it does."""

    module: str
    does: str


COMMANDS = {
    "generate": Command("client.generate", "write a text, as it comes"),
    "paint": Command("client.paint", "turn a sketch into a landscape"),
    "models": Command("client.models", "list what a server has loaded"),
    "bench": Command("client.bench", "measure a server's speed under load"),
    "batch": Command("client.batch", "answer a file of requests"),
}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help lists the arguments)\n")


def make_parser(name: str, program: str) -> argparse.ArgumentParser:
    """The parser of a command's arguments, which imports the command."""
    module = importlib.import_module(COMMANDS[name].module)
    parser = Parser(
        prog=program,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def run_command(name: str, program: str, arguments: list[str]) -> int:
    """Run one command.

    Returns:
        0 when all went well, 1 with a line on stderr when it didn't, 128 and the number of SIGINT where that
        ended it.

    Raises:
        OSError: what is printed can't be written, or nobody reads on.
    """
    try:
        args = make_parser(name, program).parse_args(arguments)
        status: int | None = asyncio.run(args.run(args))
    except ClientError as error:
        return _fail(program, str(error))
    except OSError as error:  # a file that can't be read or written
        if error.filename is None:
            raise
        return _fail(program, f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return status or 0


def _fail(program: str, reason: str) -> int:
    print(f"{program}: {reason}", file=sys.stderr)
    return 1
