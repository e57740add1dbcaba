"""Where torch comes from: an index with the build is taken, one without it or that hangs costs seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy import install_torch

BUILD = "torch==2.13.0+cpu"


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pip that knows no index but what a test gives."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)


class Calls(list[tuple[str, ...]]):
    """Stands in for pip: notes what it was told, and succeeds where ``works`` says so."""

    def __init__(self, *works: str) -> None:
        self.works = works

    def __call__(self, *arguments: str, quiet: bool = False) -> int:
        self.append(arguments)
        return 0 if any(word in " ".join(arguments) for word in self.works) else 1


@pytest.fixture
def index() -> Iterator[str]:
    """A package index on loopback that lists torch's CPU build."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'<a href="torch-2.13.0%2Bcpu-py3-none-any.whl">torch-2.13.0+cpu-py3-none-any.whl</a>'
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_index_with_the_build_is_found(index: str) -> None:
    assert install_torch.has_build(BUILD, ("--index-url", index))
    assert not install_torch.has_build("torch==2.12.0+cpu", ("--index-url", index))


def test_an_index_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        monkeypatch.setattr(install_torch, "PROBE_SECONDS", 2)
        start = time.monotonic()
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/simple"
        assert not install_torch.has_build(BUILD, ("--index-url", url))
        assert time.monotonic() - start < 10


def test_the_configured_places_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Calls("+cpu")
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "has_build", lambda *_: pytest.fail("asked another index"))
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert pip == [("install", "--no-deps", BUILD)]


def test_then_pytorchs_own_index(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Calls("--index-url")
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "has_build", lambda *_: True)
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert pip[-1] == ("install", "--no-deps", BUILD, "--index-url", install_torch.CPU_INDEX)


@pytest.mark.parametrize("listed", [True, False])
def test_else_the_ordinary_build(
    monkeypatch: pytest.MonkeyPatch, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    pip = Calls("install torch==2.13.0")
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "has_build", lambda *_: listed)
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert pip[-1][:2] == ("install", "torch==2.13.0")
    assert "taking torch==2.13.0 as it comes" in capsys.readouterr().out


def test_cuda_replaces_a_cpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Calls("uninstall", "install")
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "installed_version", lambda: "2.13.0+cpu")
    assert install_torch.main("cuda") == 0
    assert [call[:2] for call in pip] == [
        ("uninstall", "--yes"),
        ("install", "--requirement"),
        ("install", "torch==2.13.0"),
    ]


def test_what_torch_imports_is_hashed() -> None:
    torch, imported = install_torch.read_requirements(install_torch.REQUIREMENTS.read_text())
    assert torch == "torch==2.13.0"
    assert "sympy==" in imported
    assert "torch==" not in imported
    assert imported.count("==") <= imported.count("--hash=sha256:")


def test_without_what_torch_imports_there_is_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Calls("torch==")
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "installed_version", lambda: "")
    assert install_torch.main("cpu") == 1
    assert [call[:2] for call in pip] == [("install", "--requirement")]


def test_a_cpu_build_that_is_there_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Calls()
    monkeypatch.setattr(install_torch, "pip", pip)
    monkeypatch.setattr(install_torch, "installed_version", lambda: "2.13.0+cpu")
    assert install_torch.main("cpu") == 0
    assert pip == []


def test_another_device_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert install_torch.main("tpu") == 2
    assert "must be cpu or cuda" in capsys.readouterr().err
