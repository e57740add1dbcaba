"""Standard output and error that hold nobody up: what nobody takes in time is dropped, and counted.

A pipe that nobody reads fills up, and whoever writes to it waits for ever: here that is a thread, and not the
event loop or a worker's step. So does a terminal that is paused, or a disk that hangs.
"""

from __future__ import annotations

import io
import os
import select
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

MAX_WAITING = 2000  # writes; of lines of the log, one each
MAX_BATCH = 100
GATHER_SECONDS = 0.01  # in which others join a line: to wake for each costs a busy server a tenth of its rate
LAST_SECONDS = 1.0  # how long a process that ends waits for its last lines to be taken


class Outlet(io.TextIOBase):
    """Takes whole lines for a descriptor, of any thread, from signal handlers too; never waits, never fails.

    Args:
        on_resumed: told how many lines were dropped, once lines are taken again.
    """

    def __init__(self, descriptor: int, on_resumed: Callable[[int], None]) -> None:
        self._descriptor = descriptor
        self._on_resumed = on_resumed
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # threads don't survive it

    def _begin(self) -> None:
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()  # whose `put` may be interrupted
        self._thread: threading.Thread | None = None
        self._line = ""
        self.num_dropped = self._num_told = 0

    def write(self, text: str) -> int:
        lines, newline, self._line = (self._line + text).rpartition("\n")
        if newline:
            self._put(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Let go of a line that has no end yet; this waits for nothing."""
        line, self._line = self._line, ""
        if line:
            self._put(line)

    def fileno(self) -> int:
        return self._descriptor

    def drain(self) -> None:
        """Wait until what was written is taken, but not long: for a process that is about to end."""
        self.flush()
        if self._thread is not None:
            taken = threading.Event()
            self._waiting.put(taken)
            taken.wait(LAST_SECONDS)

    def _put(self, lines: str) -> None:
        if self._waiting.qsize() >= MAX_WAITING:
            self.num_dropped += lines.count("\n")
            return
        self._waiting.put(lines.encode("utf-8", "backslashreplace"))
        if self._thread is None:
            self._thread = threading.Thread(target=self._pass_on, name="outlet", daemon=True)
            self._thread.start()

    def _pass_on(self) -> None:
        while True:
            batch = [self._waiting.get()]
            if self._waiting.qsize() < MAX_BATCH:
                time.sleep(GATHER_SECONDS)
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            is_taken = self._write(b"".join(one for one in batch if isinstance(one, bytes)))
            for one in batch:
                if isinstance(one, threading.Event):
                    one.set()
            if is_taken and self.num_dropped > self._num_told:
                num_new, self._num_told = self.num_dropped - self._num_told, self.num_dropped
                self._on_resumed(num_new)

    def _write(self, data: bytes) -> bool:
        """Wait until it is taken; False if it never will be, as by a closed pipe or a full disk."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody who shares it wants it so
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()
            except OSError:
                self.num_dropped += data.count(b"\n")
                return False
        return True
