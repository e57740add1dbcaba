"""What becomes of an exception that a call meets: its last event, and for people a line in the log."""

from __future__ import annotations

import logging
import uuid

from models.errors import RequestError
from service.workers.messages import Failed

log = logging.getLogger("prospero.worker")


def guarded_failure(key: int, error: BaseException, doing: str) -> Failed:
    """Turn any exception into a `Failed`: a RequestError is the client's, all else gets an id and a log."""
    if isinstance(error, RequestError):
        return Failed(key, 422, error.message, error.field)
    error_id = uuid.uuid4().hex[:12]
    log.error("error %s while %s", error_id, doing, exc_info=error)
    return Failed(key, 500, f"internal error {error_id}", None)
