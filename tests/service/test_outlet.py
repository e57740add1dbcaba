"""What is written comes out in order, or is dropped and counted; whoever writes never waits."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator

import pytest

from harness.probes import wait_until
from service.outlet import MAX_WAITING, Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for one in ends:
        os.close(one)


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], lambda _: None)
    print("one", "two", file=outlet)
    outlet.write("three\nfo")
    outlet.write("ur\n\udcff \u00fc\nlast")
    outlet.drain()
    assert os.read(pipe[0], 1000) == b"one two\nthree\nfour\n\\udcff \xc3\xbc\nlast"


def test_a_full_pipe_holds_nobody_up(pipe: tuple[int, int]) -> None:
    told: list[int] = []
    outlet = Outlet(pipe[1], told.append)
    line = "x" * 999 + "\n"
    began = time.monotonic()
    for _ in range(num := 2 * MAX_WAITING):
        outlet.write(line)
    assert time.monotonic() - began < 2  # it would be for ever
    assert MAX_WAITING // 2 < outlet.num_dropped <= MAX_WAITING
    began = time.monotonic()
    outlet.drain()
    assert 0.5 < time.monotonic() - began < 5
    num_read = 0
    while num_read < (num - outlet.num_dropped) * len(line):
        num_read += len(os.read(pipe[0], 1 << 20))
    wait_until(lambda: told)
    assert told == [outlet.num_dropped]
    outlet.write("again\n")
    outlet.drain()
    assert os.read(pipe[0], 100) == b"again\n"


def test_a_pipe_that_is_closed_is_no_error() -> None:
    there, here = os.pipe()
    os.close(there)
    outlet = Outlet(here, lambda _: None)
    outlet.write("one\ntwo\n")
    outlet.drain()
    assert outlet.num_dropped == 2
    os.close(here)


def test_somebody_made_it_non_blocking(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    outlet = Outlet(pipe[1], lambda _: None)
    data = "".join(f"{number}\n" for number in range(50_000))
    outlet.write(data)
    found = b""
    while len(found) < len(data):
        found += os.read(pipe[0], 10_000)
    assert found.decode() == data
    assert outlet.num_dropped == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_has_its_own(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], lambda _: None)
    outlet.write("parent\n")
    outlet.drain()
    outlet.write("begun")
    if (pid := os.fork()) == 0:
        outlet.write("child\n")
        outlet.drain()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    outlet.write(" and ended\n")
    outlet.drain()
    assert os.read(pipe[0], 1000) == b"parent\nchild\nbegun and ended\n"


def test_it_is_a_stream(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], lambda _: None)
    assert isinstance(outlet, io.TextIOBase)
    assert (outlet.fileno(), outlet.isatty(), outlet.closed) == (pipe[1], False, False)
