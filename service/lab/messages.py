"""What the HTTP process and the lab's process tell each other.

The bodies of events are JSON already, so that the HTTP process passes them on without looking inside.
"""

from __future__ import annotations

import socket

import msgspec

from service.ipc import Connection, Message

# ---- what the lab is asked to do -----------------------------------------------------------------------


class Create(Message):
    """Build the run; ``config`` is the JSON of a ``LabConfig``. It trains while it is watched."""

    run: str
    config: bytes


class Watch(Message):
    """A viewer has come: send `Started`, then frames."""

    run: str


class Unwatch(Message):
    """The viewer has gone: hold still."""

    run: str


class Seen(Message):
    """The viewer has been sent the last frame; the next may follow."""

    run: str


class Control(Message):
    """Change what is not None. ``steps``: do so many more, then pause. ``speed``: steps per second."""

    run: str
    paused: bool | None
    steps: int | None
    speed: float | None
    train: str | None


class Forget(Message):
    """The run has ended."""

    run: str


# ---- what the lab says ---------------------------------------------------------------------------------


class Started(Message):
    """What stays the same for the whole run, as JSON; answers every `Watch`."""

    run: str
    body: bytes


class Frame(Message):
    """The run as it stands, as JSON, and what of it `GET /lab/runs/{id}` shows."""

    run: str
    body: bytes
    step: int
    generator_updates: int
    discriminator_updates: int
    paused: bool
    cpu_seconds: float  # of the whole process, since its start
    lines_dropped: int  # of its output, since its start


class Ended(Message):
    """The run can't go on, and is forgotten already. ``cause`` is for the metrics, ``reason`` for people."""

    run: str
    cause: str
    reason: str


ToLab = Create | Watch | Unwatch | Seen | Control | Forget
FromLab = Started | Frame | Ended

LabConnection = Connection[ToLab]

_to_lab = msgspec.msgpack.Decoder(ToLab)
_from_lab = msgspec.msgpack.Decoder(FromLab)


def connect_lab(connected: socket.socket) -> LabConnection:
    """The lab process's end of the socket pair."""
    return Connection(connected, _to_lab.decode)


def decode_from_lab(body: bytes) -> FromLab:
    """Raises msgspec.ValidationError on anything that is not one of the typed messages."""
    message: FromLab = _from_lab.decode(body)
    return message
