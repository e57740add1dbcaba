"""What the deployment files promise, as far as can be read without an engine (check_compose.sh has one)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.version import VERSION
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "chart"


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def test_the_service_is_locked_down() -> None:
    service = compose()["services"]["prospero"]
    assert service["init"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert [volume for volume in service["volumes"] if not volume.endswith(":ro")] == []
    assert re.search(r"^USER prospero$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_service_may_drain_before_it_is_killed() -> None:
    fields = Settings.model_fields
    drain = fields["drain_delay_seconds"].default + fields["drain_grace_seconds"].default
    grace = compose()["services"]["prospero"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > drain


def test_the_pod_may_drain_before_it_is_killed() -> None:
    fields = Settings.model_fields
    drain = fields["drain_delay_seconds"].default + fields["drain_grace_seconds"].default
    pod = (CHART / "templates" / "deployment.yaml").read_text()
    (grace,) = re.findall(r"^ +terminationGracePeriodSeconds: (\d+)$", pod, re.MULTILINE)
    assert int(grace) > drain


def test_the_chart_is_of_this_version_and_runs_as_the_image_does() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    (user,) = re.findall(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert f"runAsUser: {user}\n" in (CHART / "templates" / "_helpers.tpl").read_text()


def test_the_chart_for_a_gpu_sets_what_there_is() -> None:
    gpu = yaml.safe_load((CHART / "values-gpu.yaml").read_text())
    assert Settings(**gpu["settings"]).device == "cuda"
    tags = {gpu["image"]["tag"], gpu["training"]["image"]["tag"]}
    assert tags == {
        service["image"].split(":")[1] for service in compose("docker-compose.gpu.yml")["services"].values()
    }


@pytest.mark.parametrize("key", ["stop_grace_period", "read_only", "cap_drop", "init"])
def test_the_stack_is_as_the_compose_file(key: str) -> None:
    assert compose("deploy/stack.yml")["services"]["prospero"][key] == compose()["services"]["prospero"][key]


def test_the_stack_may_read_its_keys_and_write_its_temporary_files() -> None:
    service = compose("deploy/stack.yml")["services"]["prospero"]
    (keys,) = service["secrets"]
    assert service["environment"]["PROSPERO_API_KEYS_FILE"] == f"/run/secrets/{keys['target']}"
    (user,) = re.findall(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert keys["uid"] == user
    assert service["volumes"] == [{"type": "tmpfs", "target": "/tmp"}]  # docker stack deploy skips `tmpfs:`


def test_the_balancer_agrees_with_the_server() -> None:
    config, fields = (ROOT / "deploy" / "haproxy.cfg").read_text(), Settings.model_fields

    def seconds(pattern: str) -> float:
        (found,) = re.findall(rf"{pattern} (\d+)(ms|s)\b", config)
        return int(found[0]) / (1000 if found[1] == "ms" else 1)

    for side in ("client", "server"):
        assert seconds(f"timeout {side}") > fields["request_timeout_seconds"].default
    assert seconds("timeout http-keep-alive") < fields["keep_alive_seconds"].default
    assert seconds(" inter") + seconds("fastinter") < fields["drain_delay_seconds"].default
    assert f"prospero:{fields['port'].default}" in config


def test_the_gpu_file_changes_every_service_that_computes() -> None:
    plain, gpu = compose()["services"], compose("docker-compose.gpu.yml")["services"]
    built = {name for name, service in plain.items() if "build" in service}
    assert set(gpu) == built
    for name in built:
        assert gpu[name]["build"]["args"]["DEVICE"] == "cuda"
        assert gpu[name]["image"] != plain[name]["image"]
        device = gpu[name]["deploy"]["resources"]["reservations"]["devices"][0]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_prometheus_scrapes_the_service() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    port = Settings.model_fields["port"].default
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert (found["names"], found["port"]) == (["prospero"], port)
    assert "prospero" in compose()["services"]


def test_the_image_stands_alone() -> None:
    dockerfile, ignored = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text().splitlines()
    serve = dockerfile[dockerfile.index("FROM base AS serve") :]
    assert "COPY checkpoints checkpoints\n" in serve
    assert "!checkpoints" in ignored
    assert "sbom.json" in serve
    assert f'org.opencontainers.image.version="{VERSION}"' in serve
    (health,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*?\])$", serve, re.MULTILINE | re.DOTALL)
    command = json.loads(health.replace("\\\n", ""))
    compile(command[2], "health", "exec")
    assert "/health" in command[2]


def test_no_syntax_line_that_would_need_a_registry() -> None:
    assert "# syntax" not in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", [".ci/run", "deploy/find_python.sh", "deploy/check_compose.sh"])
def test_scripts_can_be_run(name: str) -> None:
    assert (ROOT / name).stat().st_mode & 0o111
    shell = (ROOT / name).read_text().splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", str(ROOT / name)], check=True)


def test_make_help_lists_the_commands() -> None:
    run = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"serve", "test", "check", "train-text"} <= {line.split()[1] for line in run.stdout.splitlines()}


@pytest.mark.parametrize(("device", "build"), [("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda")])
def test_device_selects_the_build(device: str, build: str) -> None:
    command = ["make", "-n", "serve", f"DEVICE={device}", "VENV=/nonexistent/venv"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"install_torch.py {build}" in run.stdout
    assert f"prospero serve --port 8000 --device {device}" in run.stdout


def test_hooks_run_what_ci_runs() -> None:
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["entry"].removeprefix("make ") for hook in repo["hooks"]}
    (check,) = re.findall(r"^check: (.*?) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert hooks == set(check.split())
    assert "make check" in (ROOT / ".ci" / "run").read_text()
