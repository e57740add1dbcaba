"""Full collections after start-up must have next to nothing to walk."""

from __future__ import annotations

import gc
import weakref

from service.garbage import freeze_gc


class Node:
    """May point at itself, which only the garbage collector can undo."""

    def __init__(self) -> None:
        self.me: Node | None = self


def test_what_is_there_is_exempt_and_what_was_dropped_is_not_kept() -> None:
    try:
        kept, dropped = Node(), Node()
        freeze_gc()
        assert gc.get_freeze_count() > 1000
        assert not any(one is kept for one in gc.get_objects())
        gone = weakref.ref(dropped)
        del dropped
        gc.collect()
        assert gone() is not None, "frozen: not even a full collection looks at it"
        freeze_gc()
        assert gone() is None
    finally:
        gc.unfreeze()
