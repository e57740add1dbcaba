"""Who gets how many of the files that the system lets a process open: clients, and all else.

A server that runs out of them can't even refuse: the kernel's queue fills, and connections are reset.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

RESERVED = 96  # for workers, the lab, files, the log, and connections that are one too many
MAX_BACKLOG = 4096  # connections that wait to be accepted; what the kernel allows is less
MIN_CONNECTIONS = 16


@dataclass(frozen=True)
class Descriptors:
    """``backlog`` may be accepted in one turn of the event loop, before any connection can be turned away."""

    connections: int
    backlog: int
    limit: int


def share_out(max_connections: int) -> Descriptors:
    """Raise this process's limit as far as is needed and allowed, and divide what that gives.

    Raises:
        OSError: too few for a server.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RESERVED + MAX_BACKLOG + max_connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limit = wanted if soft == resource.RLIM_INFINITY else soft
    room = limit - RESERVED
    backlog = min(MAX_BACKLOG, max(room // 4, room - max_connections))
    connections = min(max_connections, room - backlog)
    if connections < MIN_CONNECTIONS:
        raise OSError(f"only {limit} open files are allowed (ulimit -n), too few for a server")
    return Descriptors(connections, backlog, limit)
