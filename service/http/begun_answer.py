"""Whether a client that sends no more still listens, asked by the first bytes of its answer, one by one.

They are the same for every answer. To one that has left, the first is met by a reset, and the second fails.
"""

from __future__ import annotations

import asyncio

START = b"HTTP/1.1 "


class BegunAnswer:
    """Stands in for a transport on which the first bytes of the next write may have left already."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._num_sent = 0

    def send_one(self) -> bool:
        """Send the next byte; False when there is none that could be sent yet."""
        if self._num_sent == len(START):
            return False
        self._transport.write(START[self._num_sent : self._num_sent + 1])
        self._num_sent += 1
        return True

    def write(self, data: bytes) -> None:
        self._transport.write(data[self._num_sent :])
        self._num_sent = 0

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()
