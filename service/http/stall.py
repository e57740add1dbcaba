"""Clients that don't read what is written for them: cut off once nothing has moved for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class StallWatch:
    """Looks at what waits in a transport to leave; calls ``on_stall`` when it has not become less."""

    def __init__(self, transport: asyncio.Transport, seconds: float, on_stall: Callable[[], None]) -> None:
        self._transport = transport
        self._seconds = seconds
        self._on_stall = on_stall
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Something waits; if not, or if it is watched already, nothing happens."""
        size = self._transport.get_write_buffer_size()
        if size and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look, size)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, size_before: int) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() < size_before:
            self.begin()
        else:
            self._on_stall()
