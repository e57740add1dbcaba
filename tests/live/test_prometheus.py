"""A real Prometheus over a real run: every query of the dashboard gives series; the alerts' tests hold."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.dashboard import queries
from harness.load import Clients
from harness.probes import total, wait_until, worker_pid
from harness.server import ROOT, fake_server, free_port

FOLDER = ROOT / "deploy" / "prometheus"
pytestmark = pytest.mark.slow


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Debian's, with our rules, a scrape a second and the server as its target."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"] = [{"job_name": "prospero", "static_configs": [{"targets": [target]}]}]
    for name in config["rule_files"]:
        shutil.copy(FOLDER / name, folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *arguments, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def ask(url: str, query: str) -> list[Any]:
    for variable, value in (
        ("$__rate_interval", "1m"),
        ("$__range", "5m"),
        ("$instance", ".*"),
        ("$model", ".*"),
    ):
        query = query.replace(variable, value)
    try:
        answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10)
    except httpx.TransportError:
        return []  # not up yet
    if answer.status_code == 503:
        return []  # it still reads what it has on disk
    assert answer.status_code == 200, f"{query}: {answer.text}"
    series = answer.json()["data"]["result"]
    return [one for one in series if one["value"][1] != "NaN"]


def test_every_query_of_the_dashboard_gives_series(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text('[alice]\nkey = "open-sesame"\n[bob]\nkey = "open-barley"\n')
    settings = {
        "PROSPERO_MAX_RESTARTS": "100",
        "PROSPERO_API_KEYS_FILE": str(tmp_path / "keys.toml"),
        "PROSPERO_OTLP_ENDPOINT": "http://127.0.0.1:9",  # where nobody takes them
    }
    with (
        fake_server(tmp_path / "server", **settings) as server,
        prometheus(tmp_path, server.url.removeprefix("http://")) as url,
    ):
        wait_until(lambda: ask(url, "up == 1"))

        def trouble() -> None:
            os.kill(worker_pid(server), signal.SIGKILL)
            server.wait_ready()

        asyncio.run(Clients(server.url, key="open-sesame").run(8, 4, trouble))
        silent = set(queries())

        def none_is_silent() -> bool:
            silent.difference_update([query for query in silent if ask(url, query)])
            return not silent

        try:
            wait_until(none_is_silent, seconds=40)
        except AssertionError:
            assert silent == set()
        (restarts,) = ask(url, 'prospero_worker_restarts_total{model="fake-text"}')
        assert (
            float(restarts["value"][1])
            == total(server, "prospero_worker_restarts_total", model="fake-text")
            == 1
        )
        groups = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) == 20
        assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.parametrize("command", ["check config prometheus.yml", "test rules alerts_test.yml"])
def test_promtool_agrees(command: str) -> None:
    run = subprocess.run(
        ["promtool", *command.split()], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.dumps(run.stdout).count("SUCCESS") >= 1
