"""What ends a command: one line for its user, and exit status 1."""

from __future__ import annotations


class ClientError(Exception):
    """Says what is wrong, in one line."""


class AwayError(ClientError):
    """No server answered, or its answer broke off: the same request may do better later."""


def one_line(text: str) -> str:
    """Without line breaks and control characters: a server's words go to a terminal."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())
