"""Where torch comes from: an index with the build is taken, one without it or that hangs costs seconds."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "install_torch.py"
BUILD = "torch==2.13.0+cpu"


@pytest.fixture
def install_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with a pip that has no configuration but what a test gives."""
    spec = importlib.util.spec_from_file_location("install_torch", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return module


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


def test_an_index_with_the_build_is_found(install_torch: ModuleType, index: str) -> None:
    assert install_torch.has_build(BUILD, ("--index-url", index))
    assert not install_torch.has_build("torch==2.12.0+cpu", ("--index-url", index))


def test_an_index_that_hangs_is_given_up(install_torch: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        install_torch.PROBE_SECONDS = 2
        start = time.monotonic()
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/simple"
        assert not install_torch.has_build(BUILD, ("--index-url", url))
        assert time.monotonic() - start < 10


def test_the_configured_places_come_first(install_torch: ModuleType) -> None:
    install_torch.pip = Calls("+cpu")
    install_torch.has_build = lambda *_: pytest.fail("asked another index")
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert install_torch.pip == [("install", "--no-deps", BUILD)]


def test_then_pytorchs_own_index(install_torch: ModuleType) -> None:
    install_torch.pip = Calls("--index-url")
    install_torch.has_build = lambda *_: True
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert install_torch.pip[-1] == ("install", "--no-deps", BUILD, "--index-url", install_torch.CPU_INDEX)


@pytest.mark.parametrize("listed", [True, False])
def test_else_the_ordinary_build(
    install_torch: ModuleType, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    install_torch.pip = Calls("install torch==2.13.0")
    install_torch.has_build = lambda *_: listed
    assert install_torch.install_cpu("torch==2.13.0") == 0
    assert install_torch.pip[-1][:2] == ("install", "torch==2.13.0")
    assert "taking torch==2.13.0 as it comes" in capsys.readouterr().out


def test_cuda_replaces_a_cpu_build(install_torch: ModuleType) -> None:
    install_torch.pip = Calls("uninstall", "install")
    install_torch.installed_version = lambda: "2.13.0+cpu"
    assert install_torch.main("cuda") == 0
    assert [call[:2] for call in install_torch.pip] == [
        ("uninstall", "--yes"),
        ("install", "--requirement"),
        ("install", "torch==2.13.0"),
    ]


def test_what_torch_imports_is_hashed(install_torch: ModuleType) -> None:
    torch, imported = install_torch.read_requirements(install_torch.REQUIREMENTS.read_text())
    assert torch == "torch==2.13.0"
    assert "sympy==" in imported
    assert "torch==" not in imported
    assert imported.count("==") <= imported.count("--hash=sha256:")


def test_without_what_torch_imports_there_is_no_torch(install_torch: ModuleType) -> None:
    install_torch.pip = Calls("torch==")
    install_torch.installed_version = lambda: ""
    assert install_torch.main("cpu") == 1
    assert [call[:2] for call in install_torch.pip] == [("install", "--requirement")]


def test_a_cpu_build_that_is_there_is_kept(install_torch: ModuleType) -> None:
    install_torch.pip = Calls()
    install_torch.installed_version = lambda: "2.13.0+cpu"
    assert install_torch.main("cpu") == 0
    assert install_torch.pip == []


def test_another_device_is_refused(install_torch: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert install_torch.main("tpu") == 2
    assert "must be cpu or cuda" in capsys.readouterr().err
