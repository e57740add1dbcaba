"""The command ``prospero``: serves checkpoints, asks a server for what it makes, trains and measures.

Each command's module is imported once it is asked for. So help comes at once, and workers, which import this
file because the process that spawns them began here, pay for nothing.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

USAGE = """usage: prospero COMMAND …

  prospero serve                serve what ./checkpoints holds, on http://127.0.0.1:8000
  prospero generate "ROMEO:"    have it write
  prospero train text --help    a command's arguments

commands:"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command, and return its exit status; 2 for one that doesn't exist.

    Whatever prints: where nobody reads on, it is the status of SIGPIPE, and where there is no room, 1 and a
    line on stderr.
    """
    try:
        try:
            return run(sys.argv[1:] if arguments is None else arguments)
        finally:
            print(end="", flush=True)  # what argparse has printed before it ends the program, too
    except BrokenPipeError:
        drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        drop_output()
        print(f"prospero: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return 1


def drop_output() -> None:
    """Have what is left to print go nowhere, or Python would complain of it as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(given: list[str]) -> int:
    """Find the command that is given, and run it."""
    commands = find_commands()
    for length in (1, 2):
        name = " ".join(given[:length])
        if name in commands:
            _, run_it = commands[name]
            return run_it(f"prospero {name}", given[length:])
    return explain(given, {name: does for name, (does, _) in commands.items()})


def find_commands() -> dict[str, tuple[str, Callable[[str, list[str]], int]]]:
    """Each command's words, with what it does and how it is run."""
    from client.commands import COMMANDS, run_command
    from training.jobs import JOBS, run_job

    return {
        "serve": ("serve checkpoints over HTTP", run_server),
        **{name: (command.does, partial(run_command, name)) for name, command in COMMANDS.items()},
        **{job.command: (job.does, partial(run_job, job)) for job in JOBS.values()},
        "version": ("print the version", print_version),
        "--version": ("the same", print_version),
    }


def run_server(program: str, arguments: list[str]) -> int:
    """Serve until a signal."""
    from service.__main__ import serve

    return serve(program, arguments)


def print_version(program: str, arguments: list[str]) -> int:
    """Print the version."""
    from models.version import VERSION

    argparse.ArgumentParser(prog=program, description=print_version.__doc__).parse_args(arguments)
    print(f"prospero {VERSION}")
    return 0


def explain(given: list[str], commands: dict[str, str]) -> int:
    """List the commands, or those of a group like ``train``; refuse what is no command."""
    is_asked = not given or given[-1] in ("-h", "--help")
    group = given[:-1] if is_asked else given[:2]
    listed = [name for name in commands if name.split()[: len(group)] == group]
    if not listed:
        wrong = " ".join(group)
        likely = difflib.get_close_matches(wrong, commands, n=1)
        hint = f"; did you mean {likely[0]!r}?" if likely else ""
        print(f"prospero: no command {wrong!r}{hint} (prospero --help lists them)", file=sys.stderr)
        return 2
    print(USAGE, *(f"  {name:20} {commands[name]}" for name in listed), sep="\n")
    return 0 if is_asked else 2


if __name__ == "__main__":
    sys.exit(main())
