"""Typed messages between the HTTP process and a worker, and how they travel.

One Unix stream socket per worker carries everything: work and cancellations one way; results, heartbeats and
reload outcomes the other. A frame is a 4-byte big-endian length and a MessagePack body. Its end of file is
also how a worker's death is noticed: at once, and without polling.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from typing import Any

import msgspec

MAX_FRAME_BYTES = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class _Message(msgspec.Struct, tag=True, array_like=True, gc=False):
    """Base of all messages: tagged arrays, the smallest encoding that stays typed."""


# ---- what a worker is asked to do ----------------------------------------------------------------------


class TextWork(_Message):
    """One choice of a text request; the fields of ``models.gpt.engine.TextRequest``."""

    prompt: str
    seed: int
    max_tokens: int
    max_characters: int | None
    temperature: float
    top_k: int | None
    top_p: float
    stop: tuple[str, ...]
    logprobs: int | None
    attention: tuple[int, ...] = ()


class LandscapeWork(_Message):
    """One landscape: a label map of ``size`` × ``size`` bytes, its seed, and seeds per class id."""

    label_map: bytes
    size: int
    seed: int
    class_seeds: dict[int, int]


class SegmentWork(_Message):
    """One photo: ``height`` × ``width`` × 3 bytes, RGB."""

    photo: bytes
    height: int
    width: int


Work = TextWork | LandscapeWork | SegmentWork


class Submit(_Message):
    """Start ``work`` under ``key``. A streamed text sends pieces as they come, any other only its end."""

    key: int
    work: Work
    stream: bool


class Cancel(_Message):
    """Forget ``key``: its client went away or its time is up."""

    key: int


class Reload(_Message):
    """Load the checkpoint folder again, beside the running engine, and swap it in once it works."""


# ---- what a worker says --------------------------------------------------------------------------------


class Starting(_Message):
    """First message of a worker: it lives and has begun to load ``model``."""

    model: str
    pid: int


class Ready(_Message):
    """The engine is loaded and warm. ``capacity`` is how many requests may be with the worker at once."""

    capacity: int
    warmup_seconds: float
    description: dict[str, Any]


class Heartbeat(_Message):
    """Sent by a thread of its own. ``step_seconds`` is the age of the step under way, 0 when idle."""

    step_seconds: float


class Logprob(_Message):
    """A generated token, its log probability, and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...]


class TextPiece(_Message):
    """Text generated for ``key`` since its last piece; the one with a ``finish_reason`` is its last.

    ``attention``: JSON, one document per token that was asked for, passed on without a look inside.
    """

    key: int
    text: str
    num_tokens: int
    finish_reason: str | None
    logprobs: tuple[Logprob, ...]
    prompt_tokens: int
    prompt_truncated: bool
    attention: tuple[bytes, ...] = ()


class Picture(_Message):
    """A finished array of bytes: a landscape (``channels`` 3) or a label map (``channels`` 1)."""

    key: int
    pixels: bytes
    height: int
    width: int
    channels: int


class Failed(_Message):
    """``key`` ended in an error: 422, the client's fault; 500, ours (with an id that the log repeats)."""

    key: int
    status: int
    message: str
    field: str | None


Event = TextPiece | Picture | Failed


class Results(_Message):
    """What one step gave: its events, how many requests it worked on, and how long it took."""

    events: tuple[Event, ...]
    batch_size: int
    seconds: float
    num_tokens: int


class Reloaded(_Message):
    """How a reload ended; ``error`` says why the old engine still serves. After a `Ready` of the new one."""

    error: str | None


ToWorker = Submit | Cancel | Reload
FromWorker = Starting | Ready | Heartbeat | Results | Reloaded

_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(ToWorker)
_from_worker = msgspec.msgpack.Decoder(FromWorker)


def encode(message: ToWorker | FromWorker) -> bytes:
    """One frame, ready to send."""
    body = _encoder.encode(message)
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


def decode_from_worker(body: bytes) -> FromWorker:
    """Raises msgspec.ValidationError on anything that is not one of the typed messages."""
    message: FromWorker = _from_worker.decode(body)
    return message


class WorkerConnection:
    """The worker's end: blocking, one reader thread, any thread may send."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._frames = FrameBuffer()
        self._send_lock = threading.Lock()
        self._unsent = b""

    def send(self, message: FromWorker, urgent: bool = True) -> None:
        """Send it, or, if it isn't ``urgent``, have it leave with the next that is or before the next wait.

        Raises:
            OSError: the HTTP process has gone.
        """
        frame = encode(message)
        with self._send_lock:
            self._unsent += frame
            if urgent:
                self._flush()

    def receive(self, timeout: float | None) -> list[ToWorker]:
        """Wait up to ``timeout`` seconds (0 = only look, None = until something comes).

        Raises:
            EOFError: the HTTP process has gone.
        """
        # MSG_DONTWAIT keeps the socket blocking for the sending threads while this one only looks.
        if timeout != 0:
            with self._send_lock:
                self._flush()
            if not _readable(self._socket, timeout):
                return []
        try:
            data = self._socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("the HTTP process closed the connection")
        return [_to_worker.decode(body) for body in self._frames.feed(data)]

    def close(self) -> None:
        self._socket.close()

    def _flush(self) -> None:
        if self._unsent:
            self._socket.sendall(self._unsent)
            self._unsent = b""


def _readable(sock: socket.socket, timeout: float | None) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(None if timeout is None else timeout * 1000))
