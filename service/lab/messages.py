"""Typed messages between the HTTP process and the lab's process; framed as in `service.workers.messages`.

The bodies of events are JSON already, so that the HTTP process passes them on without looking inside.
"""

from __future__ import annotations

import select
import socket
import struct

import msgspec

from service.workers.messages import FrameBuffer

_LENGTH = struct.Struct(">I")


class _Message(msgspec.Struct, tag=True, array_like=True, gc=False):
    """Base of all messages."""


# ---- what the lab is asked to do -----------------------------------------------------------------------


class Create(_Message):
    """Build the run; ``config`` is the JSON of a ``LabConfig``. It trains while it is watched."""

    run: str
    config: bytes


class Watch(_Message):
    """A viewer has come: send `Started`, then frames."""

    run: str


class Unwatch(_Message):
    """The viewer has gone: hold still."""

    run: str


class Seen(_Message):
    """The viewer has been sent the last frame; the next may follow."""

    run: str


class Control(_Message):
    """Change what is not None. ``steps``: do so many more, then pause. ``speed``: steps per second."""

    run: str
    paused: bool | None
    steps: int | None
    speed: float | None
    train: str | None


class Forget(_Message):
    """The run has ended."""

    run: str


# ---- what the lab says ---------------------------------------------------------------------------------


class Started(_Message):
    """What stays the same for the whole run, as JSON; answers every `Watch`."""

    run: str
    body: bytes


class Frame(_Message):
    """The run as it stands, as JSON, and what of it `GET /lab/runs/{id}` shows."""

    run: str
    body: bytes
    step: int
    generator_updates: int
    discriminator_updates: int
    paused: bool
    cpu_seconds: float  # of the whole process, since its start


class Ended(_Message):
    """The run can't go on, and is forgotten already. ``cause`` is for the metrics, ``reason`` for people."""

    run: str
    cause: str
    reason: str


ToLab = Create | Watch | Unwatch | Seen | Control | Forget
FromLab = Started | Frame | Ended

_encoder = msgspec.msgpack.Encoder()
_to_lab = msgspec.msgpack.Decoder(ToLab)
_from_lab = msgspec.msgpack.Decoder(FromLab)


def encode(message: ToLab | FromLab) -> bytes:
    """One frame, ready to send."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def decode_from_lab(body: bytes) -> FromLab:
    """Raises msgspec.ValidationError on anything that is not one of the typed messages."""
    message: FromLab = _from_lab.decode(body)
    return message


class LabConnection:
    """The lab process's end: blocking, one thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._frames = FrameBuffer()
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def send(self, message: FromLab) -> None:
        """Raises OSError when the HTTP process has gone."""
        self._socket.sendall(encode(message))

    def receive(self, timeout: float | None) -> list[ToLab]:
        """Wait up to ``timeout`` seconds (0 = only look, None = until something comes).

        Raises:
            EOFError: the HTTP process has gone, or needs the lab no more.
        """
        if not self._poll.poll(None if timeout is None else timeout * 1000):
            return []
        data = self._socket.recv(1 << 20)
        if not data:
            raise EOFError("the HTTP process closed the connection")
        return [_to_lab.decode(body) for body in self._frames.feed(data)]
