"""Typed messages between two of our processes, over a stream socket: one framing for all who talk.

A frame is a 4-byte big-endian length and a MessagePack body. The end of file is also how the death of the
other side is noticed: at once, and without polling.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

MAX_FRAME_BYTES = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()

Received = TypeVar("Received")


class Message(msgspec.Struct, tag=True, array_like=True, gc=False):
    """Base of all messages: tagged arrays, the smallest encoding that stays typed."""


def encode(message: Message) -> bytes:
    """One frame, ready to send.

    Raises:
        OverflowError: an integer that no message can carry, or more than ``MAX_FRAME_BYTES``.
        TypeError: something in it that is no MessagePack.
    """
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise OverflowError(f"a message of {len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Cuts a byte stream back into the bodies of frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add received bytes; return the bodies that are complete now.

        Raises:
            ValueError: a frame claims more than ``MAX_FRAME_BYTES``.
        """
        self._data += data
        bodies: list[bytes] = []
        start = 0
        while len(self._data) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data, start)
            if length > MAX_FRAME_BYTES:
                raise ValueError(f"frame of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._data) < end:
                break
            with memoryview(self._data) as view:
                bodies.append(bytes(view[start + _LENGTH.size : end]))
            start = end
        if start:
            del self._data[:start]
        return bodies


class Connection(Generic[Received]):
    """The child process's end: blocking, one reader thread, any thread may send, or wake the reader.

    Args:
        decode: makes a message of a frame's body.
    """

    def __init__(self, connected: socket.socket, decode: Callable[[bytes], Received]) -> None:
        self._socket = connected
        self._decode = decode
        self._frames = FrameBuffer()
        self._send_lock = threading.Lock()
        self._unsent = b""
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def send(self, message: Message, urgent: bool = True) -> None:
        """Send it, or, if it isn't ``urgent``, have it leave with the next that is or before the next wait.

        Raises:
            OSError: the HTTP process has gone.
        """
        frame = encode(message)
        with self._send_lock:
            self._unsent += frame
            if urgent:
                self._flush()

    def receive(self, timeout: float | None) -> list[Received]:
        """Wait up to ``timeout`` seconds (0 = only look, None = until something comes), or until woken.

        Raises:
            EOFError: the HTTP process has gone, or closed the connection.
        """
        # MSG_DONTWAIT keeps the socket blocking for the sending threads while this one only looks.
        if timeout != 0:
            with self._send_lock:
                self._flush()
            if not self._wait(timeout):
                return []
        try:
            data = self._socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("the HTTP process closed the connection")
        return [self._decode(body) for body in self._frames.feed(data)]

    def wake(self) -> None:
        """End the wait that `receive` is in, or the next one; any thread may."""
        with contextlib.suppress(OSError):  # full of earlier calls, or closed
            self._waker.send(b"\0")

    def close(self) -> None:
        for one in (self._socket, self._woken, self._waker):
            one.close()

    def _wait(self, timeout: float | None) -> bool:
        """Whether there is something to receive."""
        poller = select.poll()
        for one in (self._socket, self._woken):
            poller.register(one, select.POLLIN)
        ready = {number for number, _ in poller.poll(None if timeout is None else timeout * 1000)}
        while self._woken.fileno() in ready and len(self._woken.recv(1 << 12)) == 1 << 12:
            pass
        return self._socket.fileno() in ready

    def _flush(self) -> None:
        if self._unsent:
            self._socket.sendall(self._unsent)
            self._unsent = b""
