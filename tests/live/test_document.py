"""What is sent is what the OpenAPI document says, where no fuzzer looks: the events of streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from client.events import lines_of
from harness.server import Server
from tests.live.sse import stream_text


@pytest.fixture(scope="module")
def document(fake: Server) -> dict[str, Any]:
    loaded: dict[str, Any] = httpx.get(fake.url + "/openapi.json").json()
    for schema in (*loaded["components"]["schemas"].values(), *event_schemas(loaded)):
        if "properties" in schema:
            schema["additionalProperties"] = False  # what isn't described isn't sent
    return loaded


def event_schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in ("/generate/text", "/lab/runs/{run_id}/events"):
        yield from payload_of(document, path)["oneOf"]


def payload_of(document: dict[str, Any], path: str) -> dict[str, Any]:
    """The schema of the JSON in an event's data."""
    (operation,) = document["paths"][path].values()
    event = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
    data = event["properties"]["data"]
    assert data["type"] == "string"
    (payload,) = [one for one in data.get("anyOf", [data]) if "contentSchema" in one]
    assert payload["contentMediaType"] == "application/json"
    schema: dict[str, Any] = payload["contentSchema"]
    return schema


def check(document: dict[str, Any], path: str, events: list[Any]) -> None:
    schema = {**payload_of(document, path), "components": document["components"]}
    validator = jsonschema_rs.validator_for(schema)
    for event in events:
        validator.validate(event)
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate({**events[0], "unheard_of": 1})


def test_events_of_texts(fake: Server, document: dict[str, Any]) -> None:
    with fake.client() as client:
        events = stream_text(
            client, prompt="a", max_tokens=5, n=2, logprobs=1, return_timings=True, return_token_ids=True
        )
        failed = stream_text(client, prompt="slow 0.3", max_tokens=9, timeout=0.5)
    assert events[-1] == "[DONE]"
    assert "error" in failed[-1]
    check(document, "/generate/text", [*events[:-1], *failed])


def test_events_of_the_lab(fake: Server, document: dict[str, Any]) -> None:
    with fake.client() as client:
        run = client.post("/lab/runs", json={}).raise_for_status().json()
        path, events = f"/lab/runs/{run['id']}", []
        with client.stream("GET", path + "/events") as response:
            for line in lines_of(response.iter_bytes()):
                if line.startswith(b"data: "):
                    events.append(json.loads(line.removeprefix(b"data: ")))
                    if len(events) == 3:
                        client.delete(path)
    assert [event["type"] for event in events[:3]] == ["start", "frame", "frame"]
    assert events[-1] == {"type": "end", "reason": "it was deleted"}
    check(document, "/lab/runs/{run_id}/events", events)


def test_the_admins_route_asks_for_the_admins_token(document: dict[str, Any]) -> None:
    reload = document["paths"]["/admin/reload"]["post"]
    assert reload["security"] == [{"AdminToken": []}]
    assert document["components"]["securitySchemes"]["AdminToken"]["scheme"] == "bearer"
    assert {"200", "401", "404", "409"} <= reload["responses"].keys()
