"""What can't be started is one line that says why, and exit status 2; what can be understood, is."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from service.listening import listen_on, url_of
from service.run import main
from service.settings import Settings

pytestmark = pytest.mark.usefixtures("keep_logging")
HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists() and Path("/proc/net/if_inet6").read_text()


@pytest.fixture
def keep_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `serve` would send elsewhere for good is this process's logging, which other tests read."""
    monkeypatch.setattr("service.run.configure_logging", lambda *_: None)


def start(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused start says."""
    assert main("prospero serve", list(arguments)) == 2
    said = capsys.readouterr()
    (line,) = (said.out + said.err).splitlines()
    assert line.startswith("prospero: ")
    return line.removeprefix("prospero: ")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--heartbeat-timeout-seconds", "0.3"),  # a beat comes every 0.2 s
        ("--step-timeout-seconds", "0.0001"),
        ("--load-timeout-seconds", "0.01"),
        ("--request-timeout-seconds", "inf"),
        ("--body-timeout-seconds", "nan"),
        ("--restart-window-seconds", "1e300"),
        ("--drain-delay-seconds", "inf"),
        ("--batch-wait-seconds", "inf"),
        ("--stream-interval-seconds", "1e9"),
        ("--lab-life-seconds", "inf"),
        ("--threads", "1000000000"),
        ("--root-path", "https://example.com/api"),
        ("--root-path", "a//b"),
        ("--root-path", "a b"),
        ("--cors-origins", "studio.example"),
        ("--cors-origins", "https://studio.example/page"),
        ("--trusted-proxies", "proxy.example"),
        ("--trusted-proxies", "10.0.0.1/8"),  # bits beyond the mask
        ("--host", ""),
    ],
)
def test_values_that_could_never_work(flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(capsys, flag, value).startswith(f"{flag}: ")


def test_settings_that_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    said = start(capsys, "--max-body-bytes", "20000", "--max-buffered-bytes", "10000")
    assert said == "max_buffered_bytes (10000) must hold at least one body: max_body_bytes is 20000"
    assert start(capsys, "--max-body-bytes", str(2**30)).startswith("max_buffered_bytes (536870912) ")


@pytest.mark.parametrize("flag", ["--text-model", "--landscape-model", "--segment-model"])
def test_a_default_model_that_is_not_there(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(capsys, flag, "nowhere").startswith(f"{flag}: no ")
    said = start(capsys, "--text-model", "landscape")  # it is there, and no text model
    assert said.startswith("--text-model: no gpt model 'landscape' ")
    assert said.endswith("; there: gpt-shakespeare")


def test_what_is_refused_is_named_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text(f'api_keys_file = "{tmp_path / "none"}"')
    said = start(capsys, "--config", str(tmp_path / "settings.toml"))
    assert said == f"api_keys_file: {tmp_path / 'none'}: No such file or directory (config file)"
    monkeypatch.setenv("PROSPERO_API_KEYS_FILE", str(tmp_path / "none"))
    assert start(capsys).startswith("PROSPERO_API_KEYS_FILE: ")
    assert start(capsys, "--api-keys-file", str(tmp_path / "none")).startswith("--api-keys-file: ")


def test_a_clients_key_is_taken_for_no_servers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROSPERO_API_KEY", "secret")
    assert start(capsys) == "PROSPERO_API_KEY is what clients send; a server asks for PROSPERO_API_KEYS"
    assert start(capsys, "--api-keys", "secret", "--text-model", "none").startswith("--text-model: ")


def test_weights_for_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert start(capsys, "--text-weights", '{"nowhere": "int8"}').startswith("--text-weights: no gpt ")


@pytest.mark.parametrize("written", ["api", "/api", "api/", "//api/"])
def test_a_prefix_means_one_thing(written: str) -> None:
    assert Settings(root_path=written).root_path == "/api"
    assert Settings(root_path="/").root_path == Settings(root_path="").root_path == ""


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "assign"), ("nowhere.invalid", ""), ("300.1.1.1", ""), ("::g", ""), ("a" * 300, "")],
)
def test_an_address_that_is_not_ours(host: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = start(capsys, "--host", host)
    assert said.startswith(f"can't listen on {url_of(host, 8000)}: ")
    assert why in said


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with listen_on("127.0.0.1", 0, 16) as taken:
        port = taken.getsockname()[1]
        said = start(capsys, "--port", str(port))
    assert said == f"can't listen on http://127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "127.0.0.2", "localhost", "::", "::1", "[::1]"])
def test_any_local_address(host: str) -> None:
    if ":" in host and not HAS_IPV6:
        pytest.skip("no IPv6 here")
    with listen_on(Settings(host=host).host, 0, 16) as listener:
        port = listener.getsockname()[1]
        reached = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "[::1]": "::1"}.get(host, host)
        socket.create_connection((reached, port), timeout=5).close()
    assert url_of("::1", 80) == "http://[::1]:80"


def test_a_temporary_directory_too_long_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    said = start(capsys, "--port", "18999")
    assert said == f"TMPDIR: no socket in {folder}: AF_UNIX path too long"
    assert list(folder.glob("prospero-*")) == []


def test_no_temporary_directory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert "/nowhere" in start(capsys, "--port", "18999")
