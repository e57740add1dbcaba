"""The socket that clients connect to, bound before anything is started: what can't be is said at once.

Which address and port: settings.py.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any


def listen_on(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens on any local address: IPv4, IPv6 (``::`` takes both), or a name of one.

    Args:
        backlog: how many connections may wait to be accepted.

    Raises:
        OSError: the address isn't this machine's, or the port is taken; the message says so.
    """
    try:
        family, address = _resolve(host, port)
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(backlog)  # now, not when HTTP is served: until then, two can be bound to one port
            undo.pop_all()
            return listener
    except OSError as error:
        raise OSError(f"can't listen on {url_of(host, port)}: {error.strerror or error}") from None
    except UnicodeError:
        raise OSError(f"can't listen on {url_of(host, port)}: not a host's name") from None


def url_of(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str, port: int) -> tuple[int, Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name of both kinds, as localhost, means IPv4 to most who type it.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address
