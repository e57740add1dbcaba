"""How many connections the limit of open files allows."""

from __future__ import annotations

import resource

import pytest

from service.descriptors import MAX_BACKLOG, RESERVED, share_out

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "backlog", "raised"),
    [
        (1024, 1 << 20, 4096, MAX_BACKLOG, RESERVED + MAX_BACKLOG + 4096),
        (1 << 20, 1 << 20, 4096, MAX_BACKLOG, None),
        (1024, UNLIMITED, 4096, MAX_BACKLOG, RESERVED + MAX_BACKLOG + 4096),
        (UNLIMITED, UNLIMITED, 4096, MAX_BACKLOG, None),
        (256, 1024, 696, 232, 1024),
        (256, 256, 120, 40, 256),
    ],
)
def test_what_open_files_allow(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, backlog: int, raised: int | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    shares = share_out(4096)
    assert (shares.connections, shares.backlog) == (connections, backlog)
    assert asked[:1] == ([(raised, hard)] if raised else [])
    assert RESERVED + shares.backlog + shares.connections <= shares.limit


def test_too_few_refuse_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(OSError, match=r"only 64 open files are allowed \(ulimit -n\)"):
        share_out(4096)
