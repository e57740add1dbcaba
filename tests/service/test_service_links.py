"""What Kubernetes and Docker inject beside a service of our name is told from settings."""

from __future__ import annotations

import os

import pytest

from service.run import main
from service.service_links import service_links
from service.settings import read_settings

KUBERNETES = {  # what a pod beside a Service `prospero` with ports http and metrics sees
    "PROSPERO_SERVICE_HOST": "10.96.12.7",
    "PROSPERO_SERVICE_PORT": "8000",
    "PROSPERO_SERVICE_PORT_HTTP": "8000",
    "PROSPERO_SERVICE_PORT_METRICS": "9000",
    "PROSPERO_PORT": "tcp://10.96.12.7:8000",
    "PROSPERO_PORT_8000_TCP": "tcp://10.96.12.7:8000",
    "PROSPERO_PORT_8000_TCP_PROTO": "tcp",
    "PROSPERO_PORT_8000_TCP_PORT": "8000",
    "PROSPERO_PORT_8000_TCP_ADDR": "10.96.12.7",
    "PROSPERO_PORT_53_UDP": "udp://10.96.12.7:53",
}
OTHER_SERVICES = {  # `prospero-text`, on IPv6
    "PROSPERO_TEXT_SERVICE_HOST": "fd00:10:96::7",
    "PROSPERO_TEXT_PORT": "tcp://[fd00:10:96::7]:8000",
    "PROSPERO_TEXT_PORT_8000_TCP": "tcp://[fd00:10:96::7]:8000",
    "PROSPERO_TEXT_PORT_8000_TCP_ADDR": "fd00:10:96::7",
}
DOCKER = {  # docker run --link api:prospero
    "PROSPERO_NAME": "/web/prospero",
    "PROSPERO_PORT": "tcp://172.17.0.5:8000",
    "PROSPERO_PORT_8000_TCP_START": "tcp://172.17.0.5:8000",
    "PROSPERO_PORT_8000_TCP_PORT_END": "8001",
    "PROSPERO_ENV_PYTHON_VERSION": "3.11",
}
ALL = [
    *KUBERNETES.items(),
    *OTHER_SERVICES.items(),
    *(pair for pair in DOCKER.items() if "ENV" not in pair[0]),
]


@pytest.mark.parametrize(("name", "value"), ALL)
def test_each_alone_is_ignored_with_a_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unset = read_settings()
    monkeypatch.setenv(name, value)
    assert read_settings() == unset
    assert name not in os.environ
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("prospero: ")
    assert name in line


@pytest.mark.parametrize("group", [KUBERNETES, OTHER_SERVICES, DOCKER], ids=["own", "others", "link"])
def test_a_group_is_one_line(
    group: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    assert read_settings().port == 8000
    (line,) = capsys.readouterr().err.splitlines()
    assert all(name in line for name in group)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROSPERO_PORT", "8001"),
        ("PROSPERO_PORT", "tcp://"),
        ("PROSPERO_SERVICE_PORT", "web"),
        ("PROSPERO_SERVICE_HOST", "example.com"),
        ("PROSPERO_PORT_8000", "tcp://10.96.12.7:8000"),
        ("PROSPERO_PORT_8000_TCP", "8000"),
        ("PROSPERO_SERVICE_NAME", "x"),
        ("PROSPERO_NAME", "prospero"),
        ("PROSPERO_ENV_PATH", "/bin"),
        ("PROSPERO_PROT", "tcp://10.96.12.7:8000"),
    ],
)
def test_nothing_else_is(name: str, value: str) -> None:
    assert service_links({name: value}) == []


def test_a_port_that_is_no_link_is_still_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROSPERO_PORT", "tcp://")
    assert main("prospero serve", []) == 2
    assert capsys.readouterr().err.startswith("prospero: PROSPERO_PORT: ")
