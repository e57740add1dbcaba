"""The downloader against a local server that serves, refuses, lies and breaks off."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.download import fetch, is_url
from training.errors import TrainingError

BODY = b"To be, or not to be\n" * 20_000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    num_served = 0

    def do_GET(self) -> None:
        Handler.num_served += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if self.path == "/broken" else BODY)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep" / "input.txt"
    before = Handler.num_served
    assert fetch(f"{server}/input.txt", path, SHA256).read_bytes() == BODY
    assert fetch(f"{server}/input.txt", path, SHA256) == path
    assert Handler.num_served == before + 1
    assert "100%" in capsys.readouterr().err
    path.write_bytes(b"changed by hand")
    with pytest.raises(TrainingError, match="give it as --data"):
        fetch(f"{server}/input.txt", path, SHA256)
    assert path.read_bytes() == b"changed by hand"


@pytest.mark.parametrize(("name", "said"), [("missing", "Not Found"), ("broken", "IncompleteRead")])
def test_failures_leave_nothing_behind(server: str, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        fetch(f"{server}/{name}", tmp_path / "input.txt", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_other_bytes_are_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected 00"):
        fetch(f"{server}/input.txt", tmp_path / "input.txt", "00" * 32)
    assert list(tmp_path.iterdir()) == []


def test_no_server_at_all(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="give a local file instead"):
        fetch("http://127.0.0.1:9/input.txt", tmp_path / "input.txt")


def test_urls_are_told_from_paths() -> None:
    assert is_url("https://example.org/a.txt")
    assert not is_url("data/a.txt")
    assert not is_url("C:\\data\\a.txt")
