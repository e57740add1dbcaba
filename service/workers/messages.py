"""What the HTTP process and a worker tell each other.

One Unix stream socket per worker carries everything: requests and cancellations one way; results, heartbeats
and reload outcomes the other.
"""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from service.ipc import Connection, Message

# ---- what a worker is asked to do ----------------------------------------------------------------------


class Submit(Message):
    """Start a request under ``key``. A streamed text sends pieces as they come, any other only its end.

    ``request`` is MessagePack of the type that the model's kind takes: its loader alone knows which. ``rank``
    is how many requests of the same API key were with the worker before; None where no keys share it.
    """

    key: int
    request: bytes
    stream: bool
    rank: int | None = None


class LandscapeWork(Message):
    """One landscape to paint: a label map of ``height`` × ``width`` bytes, a seed, and seeds per class id.

    ``natural_outlines``: whether outlines may be moved a little.
    """

    label_map: bytes
    height: int
    width: int
    seed: int
    class_seeds: dict[int, int]
    natural_outlines: bool = False


class SegmentWork(Message):
    """One photo to segment: ``height`` × ``width`` × 3 bytes, RGB."""

    photo: bytes
    height: int
    width: int


class Cancel(Message):
    """Forget ``key``: its client went away or its time is up."""

    key: int


class Reload(Message):
    """Load the checkpoint folder again, beside the running engine, and swap it in once it works."""


# ---- what a worker says --------------------------------------------------------------------------------


class Starting(Message):
    """First message of a worker: it lives and has begun to load ``model``."""

    model: str
    pid: int


class Ready(Message):
    """The engine is loaded and warm. ``capacity`` is how many requests may be with the worker at once."""

    capacity: int
    warmup_seconds: float
    description: dict[str, Any]


class NotLoaded(Message):
    """Last message of a worker that could not load its model, and why."""

    error: str


class Heartbeat(Message):
    """Sent by a thread of its own. ``step_seconds`` is the age of the oldest work under way, 0 when idle."""

    step_seconds: float
    lines_dropped: int = 0  # of the worker's output, since it began


class Logprob(Message):
    """A token's bytes, its log probability (None: it follows nothing), and the likeliest alternatives."""

    token: bytes
    logprob: float | None
    top: tuple[tuple[bytes, float], ...]


class TextPiece(Message):
    """Text generated for ``key`` since its last piece; the one with a ``finish_reason`` is its last.

    ``attention``: JSON, one document per token that was asked for, passed on without a look inside. What is
    of the prompt comes with the first piece, if asked for. The last says how many seconds went by until the
    first token was drawn, and from there to the last.
    """

    key: int
    text: str
    num_tokens: int
    finish_reason: str | None
    logprobs: tuple[Logprob, ...]
    prompt_tokens: int
    prompt_truncated: bool
    attention: tuple[bytes, ...] = ()
    prompt_logprobs: tuple[Logprob, ...] | None = None
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0


class Picture(Message):
    """A finished array of bytes: a landscape (``channels`` 3) or a label map (``channels`` 1)."""

    key: int
    pixels: bytes
    height: int
    width: int
    channels: int


class Failed(Message):
    """``key`` ended in an error: 422, the client's fault; 500, ours (with an id that the log repeats)."""

    key: int
    status: int
    message: str
    field: str | None


Event = TextPiece | Picture | Failed


def is_fault(event: Event) -> bool:
    """Whether it failed by no fault of the client's."""
    return isinstance(event, Failed) and event.status >= 500


def is_last(event: Event) -> bool:
    """Whether nothing more comes for its key."""
    return not isinstance(event, TextPiece) or event.finish_reason is not None


class Results(Message):
    """What one step gave: its events, how many requests it worked on, and how long it took.

    On a CPU an image is a step, beside others that are being made: these count with it.
    """

    events: tuple[Event, ...]
    batch_size: int
    seconds: float
    num_tokens: int


class Reloaded(Message):
    """How a reload ended; ``error`` says why the old engine still serves. After a `Ready` of the new one."""

    error: str | None


ToWorker = Submit | Cancel | Reload
FromWorker = Starting | Ready | NotLoaded | Heartbeat | Results | Reloaded

WorkerConnection = Connection[ToWorker]

_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(ToWorker)
_from_worker = msgspec.msgpack.Decoder(FromWorker)


def connect_worker(path: str) -> WorkerConnection:
    """The worker's end of the socket at ``path``.

    Raises:
        OSError: nobody listens there.
    """
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.connect(path)
    return Connection(connected, _to_worker.decode)


def pack(request: object) -> bytes:
    """A request as `Submit` carries it: a dataclass or a message, in MessagePack."""
    return _encoder.encode(request)


def decode_from_worker(body: bytes) -> FromWorker:
    """Raises msgspec.ValidationError on anything that is not one of the typed messages."""
    message: FromWorker = _from_worker.decode(body)
    return message
