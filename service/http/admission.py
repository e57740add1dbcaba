"""What a request meets before its body is read: a closed or full server, a model that is away, a full queue.

Requests wait in workers/fair_queue.py, which says who may (else 429); a key's limits are in key_limits.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.types import Scope

from service.errors import ApiError
from service.lifecycle import Lifecycle, Phase
from service.workers.client import WorkerClient


class Admission:
    """Refuses early what would be refused late.

    Args:
        clients: those who may serve a POST to a path, whatever is loaded now.
        ungated: paths that are answered to the very end.
    """

    def __init__(
        self, lifecycle: Lifecycle, clients: Callable[[str], Sequence[WorkerClient]], ungated: frozenset[str]
    ) -> None:
        self._lifecycle = lifecycle
        self._clients = clients
        self._ungated = ungated

    @property
    def is_leaving(self) -> bool:
        """Whether clients should look for another server, and so give up their connections."""
        return self._lifecycle.phase is not Phase.SERVING

    def check(self, scope: Scope, path: str) -> None:
        """Look at the server and at the path's worker.

        Raises:
            ApiError: 503 once the server is closed, and on a connection that is one too many; 429 or 503 for
                the only model of its endpoint.
        """
        if path not in self._ungated:
            if self._lifecycle.phase >= Phase.CLOSED:
                raise ApiError(503, "the server is shutting down", retry_after=5)
            if scope["state"].get("is_one_too_many"):
                raise ApiError(503, "too many connections", retry_after=1)
        if scope["method"] == "POST":
            candidates = self._clients(path)
            if len(candidates) == 1:
                candidates[0].check_admission(line=scope["state"].get("line"))
