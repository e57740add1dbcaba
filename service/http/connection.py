"""One connection's life: from its place in the book to its end, which a client can't put off.

It ends when it has been idle too long, when others need its place, or when the client leaves unread what was
written for it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.connections import Connections
from service.http.stall import StallWatch


class ClientConnection(HttpToolsProtocol):
    """Keeps uvicorn's protocol in the book of connections, and within its times."""

    is_extra = False

    def __init__(self, *, connections: Connections, **others: Any) -> None:
        super().__init__(**others)
        self._all, self._limits = connections, connections.limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stall = StallWatch(transport, self._limits.send_seconds, self._on_stall)
        if not self._all.opened(self):
            transport.abort()
            return
        self.timeout_keep_alive_task = self.loop.call_later(
            self._limits.head_seconds, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.closed(self)
        self._stall.end()
        super().connection_lost(exc)

    def evict(self) -> None:
        """Make room for another connection; nothing on this one is being answered."""
        self.close()

    def close(self) -> None:
        """Close it, at once if its client hasn't even read the last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        self._all.ended["idle"] += 1
        self.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._stall.begin()
        elif self.cycle.response_complete:  # and no other waits for its turn
            self._all.waits(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()

    def _on_stall(self) -> None:
        self._all.ended["stuck"] += 1
        self.transport.abort()
