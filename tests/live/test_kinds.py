"""A kind of model that the service has never heard of: one entry in the table, and it is served."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import torch

from harness.probes import total
from harness.server import ROOT, Server, run_server
from models.checkpoint import CheckpointConfig, save_checkpoint


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mirror")
    config = CheckpointConfig(kind="mirror", training_data="none")
    save_checkpoint(folder / "checkpoints" / "mirror-1", config, {"glass": torch.zeros(3)}, {}, "A mirror.")
    environment = {"PROSPERO_CHECKPOINTS": str(folder / "checkpoints")}
    with run_server(folder / "server.log", ["-m", "tests.live.mirror_server"], environment) as server:
        yield server


def test_it_answers_at_its_route(server: Server) -> None:
    answer = httpx.post(server.url + "/mirror", content="Prospero")
    assert (answer.status_code, answer.text) == (200, "orepsorP")
    assert "x-request-id" in answer.headers


def test_it_is_listed_documented_and_counted(server: Server) -> None:
    httpx.post(server.url + "/mirror", content="a")
    (model,) = httpx.get(server.url + "/models").json()["models"]
    assert (model["name"], model["kind"], model["parameters"]) == ("mirror-1", "mirror", 3)
    assert model["default"]
    assert "post" in httpx.get(server.url + "/openapi.json").json()["paths"]["/mirror"]
    assert total(server, "prospero_image_batch_size_count", model="mirror-1") >= 1
    assert total(server, "prospero_http_requests_total", route="/mirror", status="200") >= 1


def test_the_kinds_that_have_no_model_say_so(server: Server) -> None:
    assert httpx.post(server.url + "/generate/text", json={"prompt": "a"}).status_code == 404


def test_a_kind_takes_less_than_sixty_lines() -> None:
    assert len((ROOT / "tests" / "live" / "mirror_server.py").read_text().splitlines()) < 60
