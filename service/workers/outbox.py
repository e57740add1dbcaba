"""What the HTTP process has to say to one worker, on its way into the worker's connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.ipc import encode
from service.workers.messages import ToWorker


class Outbox:
    """What one turn of the event loop has to say leaves in one write.

    Args:
        on_failure: told when a write failed, and so when nobody knows what the worker has heard.
    """

    def __init__(self, transport: asyncio.Transport, on_failure: Callable[[Exception], None]) -> None:
        self.transport = transport
        self._on_failure = on_failure
        self._frames: list[bytes] = []

    def send(self, message: ToWorker) -> None:
        """Have it leave. Raises whatever `encode` does; nothing of it has been said then."""
        frame = encode(message)
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(frame)

    def abort(self) -> None:
        """Say no more, not even what waits to leave, and end the connection."""
        self._frames = []
        self.transport.abort()

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        try:
            if frames:
                self.transport.write(b"".join(frames))
        except Exception as error:
            self._on_failure(error)
