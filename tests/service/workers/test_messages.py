"""Messages survive the socket, cut up as a stream socket may cut them."""

from __future__ import annotations

import random
import select
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.gpt.request import TextRequest
from service.ipc import MAX_FRAME_BYTES, FrameBuffer, encode
from service.workers.messages import (
    Cancel,
    Failed,
    FromWorker,
    Heartbeat,
    LandscapeWork,
    Logprob,
    Picture,
    Ready,
    Reload,
    Reloaded,
    Results,
    SegmentWork,
    Starting,
    Submit,
    TextPiece,
    ToWorker,
    WorkerConnection,
    connect_worker,
    decode_from_worker,
    pack,
)

TEXT = TextRequest("höre\0 \U0001f600", 2**53 - 1, 4096, stop=("\n\n", "x"), logprobs=10)
LANDSCAPE = LandscapeWork(bytes(range(256)), 8, 32, 7, {3: 4})
PHOTO = SegmentWork(b"\xff" * 12, 2, 2)
TO_WORKER: list[ToWorker] = [
    Submit(1, pack(TEXT), True),
    Submit(2**62, pack(LANDSCAPE), False),
    Submit(3, pack(PHOTO), False),
    Cancel(9),
    Reload(),
]
PIECE = TextPiece(5, "ab", 2, "stop", (Logprob(b"a", -0.5, ((b"a", -0.5), (b"b", -1.5))),), 3, True)
FROM_WORKER: list[FromWorker] = [
    Starting("gpt", 123),
    Ready(64, 0.01, {"parameters": 3, "metrics": {"loss": 1.5}, "none": None}),
    Heartbeat(0.25),
    Results((PIECE, Picture(6, b"\0\1\2", 1, 1, 3), Failed(7, 422, "no", "prompt")), 3, 0.003, 2),
    Reloaded(None),
    Reloaded("broken"),
]


@pytest.mark.parametrize("request_", [TEXT, LANDSCAPE, PHOTO], ids=lambda one: type(one).__name__)
def test_requests_come_back_as_they_were(request_: object) -> None:
    assert msgspec.msgpack.decode(pack(request_), type=type(request_)) == request_


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda one: type(one).__name__)
def test_messages_from_a_worker_come_back_as_they_were(message: FromWorker) -> None:
    (body,) = FrameBuffer().feed(encode(message))
    assert decode_from_worker(body) == message


@pytest.mark.parametrize("seed", range(5))
def test_any_cut_of_the_stream_gives_the_same_frames(seed: int) -> None:
    generator = random.Random(seed)
    data = b"".join(encode(message) for message in FROM_WORKER * 20)
    frames, bodies = FrameBuffer(), []
    while data:
        length = generator.choice([1, 2, 3, 5, 50, 1000])
        bodies += frames.feed(data[:length])
        data = data[length:]
    assert [decode_from_worker(body) for body in bodies] == FROM_WORKER * 20


def test_a_large_frame() -> None:
    picture = Results((Picture(1, bytes(3_000_000), 1000, 1000, 3),), 1, 1.0, 0)
    frames, data, bodies = FrameBuffer(), encode(picture), []
    for start in range(0, len(data), 65_536):
        bodies += frames.feed(data[start : start + 65_536])
    assert [decode_from_worker(body) for body in bodies] == [picture]


def test_an_absurd_length_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(ValueError, match="frame of"):
        FrameBuffer().feed(struct.pack(">I", MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x90", b"\x91\xa7Unknown", encode(Cancel(1))[4:]])
def test_what_is_no_typed_message_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_from_worker(body)


@pytest.fixture
def pair() -> tuple[socket.socket, WorkerConnection]:
    """The HTTP process's end, and the worker's connection."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        connection = connect_worker(path)
        server, _ = listener.accept()
        listener.close()
    return server, connection


def test_the_workers_end_receives_what_was_sent(pair: tuple[socket.socket, WorkerConnection]) -> None:
    server, connection = pair
    with server:
        server.sendall(b"".join(encode(message) for message in TO_WORKER))
        assert connection.receive(1.0) == TO_WORKER
        assert connection.receive(0) == []
        assert connection.receive(0.01) == []
    with pytest.raises(EOFError):
        connection.receive(1.0)
    connection.close()


def test_frames_of_two_threads_do_not_mix(pair: tuple[socket.socket, WorkerConnection]) -> None:
    """As the heartbeat's and the loop's."""
    server, connection = pair
    large = Results((Picture(1, bytes(200_000), 1, 1, 3),), 1, 1.0, 0)

    def send(message: FromWorker, times: int) -> None:
        for _ in range(times):
            connection.send(message)

    threads = [
        threading.Thread(target=send, args=(large, 20)),
        threading.Thread(target=send, args=(Heartbeat(0.0), 200)),
    ]
    for thread in threads:
        thread.start()
    frames = FrameBuffer()
    messages: list[Any] = []
    while len(messages) < 220:
        messages += [decode_from_worker(body) for body in frames.feed(server.recv(65_536))]
    for thread in threads:
        thread.join()
    assert sum(message == large for message in messages) == 20
    server.close()
    connection.close()


def test_what_is_not_urgent_leaves_in_order_with_what_is_or_before_a_wait(
    pair: tuple[socket.socket, WorkerConnection],
) -> None:
    server, connection = pair
    server.settimeout(5)
    frames = FrameBuffer()
    quiet = Results((), 64, 0.003, 64)

    def waiting() -> list[FromWorker]:
        return [decode_from_worker(body) for body in frames.feed(server.recv(65_536))]

    with server:
        connection.send(quiet, urgent=False)
        connection.receive(0)
        assert not select.select([server], [], [], 0.0)[0]
        connection.send(Heartbeat(0.5))
        assert waiting() == [quiet, Heartbeat(0.5)]
        connection.send(quiet, urgent=False)
        connection.receive(0.001)
        assert waiting() == [quiet]
    connection.close()
