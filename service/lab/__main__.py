"""``python -m service.lab FD …``: the process in which all lab runs train, in one thread.

At the lowest priority, it has what the endpoints leave over. It ends when the HTTP process does, or closes
the connection.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

from service.lab.messages import connect_lab
from service.logs import configure_logging

NICENESS = 19
STARTING_NICENESS = 10  # a busy server would let 19 take minutes to import PyTorch


def main(descriptor: int, frames_per_second: float, log_format: str, log_level: str) -> None:
    """Serve the connection that was inherited as ``descriptor`` to its end."""
    # Ctrl-C reaches the whole process group; the end of the connection is what ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging(log_format, log_level)
    connection = connect_lab(socket.socket(fileno=descriptor))
    _lower_priority(STARTING_NICENESS)
    import torch

    from service.lab.worker import LabWorker

    _lower_priority(NICENESS)
    torch.set_num_threads(1)
    with contextlib.suppress(EOFError, OSError):
        LabWorker(connection, frames_per_second).run()


def _lower_priority(niceness: int) -> None:
    os.nice(max(0, niceness - os.nice(0)))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4])
