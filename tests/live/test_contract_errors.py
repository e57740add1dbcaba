"""Every error of the contract, its status, type and field; against fake engines, for they never get there."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from harness.pictures import png

JSON = {"content-type": "application/json"}
LIMIT, PICTURE_LIMIT = 16 * 1024 * 1024, 64 * 1024 * 1024


def check(response: httpx.Response, status: int, kind: str, field: str | None, words: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"type", "message", "field"}
    assert (body["error"]["type"], body["error"]["field"]) == (kind, field), body
    assert words in body["error"]["message"]
    assert "Traceback" not in response.text
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"min_p": 1.1}, "min_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"frequency_penalty": "1"}, "frequency_penalty"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
        ({"logit_bias": {"3": 101}}, "logit_bias.3"),
        ({"min_tokens": 30, "max_tokens": 20}, "min_tokens"),
        ({"ignore_eos": 1}, "ignore_eos"),
        ({"stop_token_ids": [1.5]}, "stop_token_ids.0"),
        ({"prompt_logprobs": 11}, "prompt_logprobs"),
        ({"max_tokens": 4097}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_characters": 0}, "max_characters"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 2**64}, "top_k"),  # no message could carry it
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"seed": -2}, "seed"),
        ({"seed": 2**53 - 1, "n": 2}, "seed"),
        ({"seed": 2**53}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": "x" * 65}, "stop"),
        ({"stop": ""}, "stop"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"logprobs": 11}, "logprobs"),
        ({"attention": True}, "attention"),
        ({"attention": []}, "attention"),
        ({"attention": list(range(17))}, "attention"),
        ({"attention": [-1]}, "attention.0"),
        ({"attention": [4096], "max_tokens": 4096}, "attention.0"),
        ({"attention": [3, 20], "max_tokens": 20}, "attention"),
        ({"attention": [0], "n": 2}, "attention"),
        ({"timeout": 0}, "timeout"),
        ({"max_token": 3}, "max_token"),
    ],
)
def test_text_fields_out_of_range(client: httpx.Client, change: dict[str, Any], field: str) -> None:
    check(client.post("/generate/text", json={"prompt": "x", **change}), 422, "invalid_request", field)


def test_null_and_minus_one(client: httpx.Client) -> None:
    nulls = dict.fromkeys(("max_characters", "temperature", "top_k", "stop", "n", "logit_bias"))
    first, second = (
        client.post("/generate/text", json={"prompt": "x", "max_tokens": 1, **nulls, "seed": seed}).json()
        for seed in (None, -1)
    )
    seeds = [one["choices"][0]["seed"] for one in (first, second)]
    assert seeds[0] != seeds[1]
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_text_without_a_prompt(client: httpx.Client) -> None:
    check(client.post("/generate/text", json={}), 422, "invalid_request", "prompt")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"prompt": "a"'])
def test_malformed_json(client: httpx.Client, body: bytes) -> None:
    check(client.post("/generate/text", content=body, headers=JSON), 400, "bad_request", None, "JSON")


def test_json_that_is_no_object(client: httpx.Client) -> None:
    assert client.post("/generate/text", content=b"[1]", headers=JSON).status_code == 422


def test_lone_surrogates_are_refused(client: httpx.Client) -> None:
    response = client.post("/generate/text", content=b'{"prompt": "\\ud800"}', headers=JSON)
    assert response.status_code in (400, 422)


def test_the_engines_own_refusal_is_a_422(client: httpx.Client) -> None:
    check(client.post("/generate/text", json={"prompt": "refuse"}), 422, "invalid_request", "prompt")
    streamed = client.post("/generate/text", json={"prompt": "refuse", "stream": True})
    check(streamed, 422, "invalid_request", "prompt")


@pytest.mark.parametrize("path", ["/generate/text", "/generate/landscape"])
def test_unknown_model(client: httpx.Client, path: str) -> None:
    bodies = {
        "/generate/text": {"prompt": "x", "model": "nope"},
        "/generate/landscape": {"sketch": base64.b64encode(png()).decode(), "model": "nope"},
    }
    check(client.post(path, json=bodies[path]), 404, "not_found", "model", "nope")


def test_unknown_route_and_method(client: httpx.Client) -> None:
    check(client.get("/nope"), 404, "not_found", None)
    check(client.get("/generate/text"), 405, "method_not_allowed", None)


def test_body_over_the_limit(client: httpx.Client) -> None:
    check(
        client.post("/generate/text", content=b" " * (LIMIT + 1), headers=JSON), 413, "body_too_large", None
    )
    path, headers = "/generate/landscape", {"content-type": "image/png"}
    chunks = (b"x" * 65536 for _ in range(LIMIT // 65536 + 1))  # of a picture so many may come
    check(client.post(path, content=chunks, headers=headers), 422, "invalid_request", "sketch")
    chunks = (b"x" * 65536 for _ in range(PICTURE_LIMIT // 65536 + 1))
    check(client.post(path, content=chunks, headers=headers), 413, "body_too_large", None)


def raw(client: httpx.Client, data: bytes, media_type: str = "image/png", query: str = "") -> httpx.Response:
    return client.post(f"/generate/landscape{query}", content=data, headers={"content-type": media_type})


def test_not_an_image(client: httpx.Client) -> None:
    check(raw(client, b"hello"), 422, "invalid_request", "sketch")
    check(raw(client, b""), 422, "invalid_request", "sketch")


def test_truncated_image(client: httpx.Client) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    check(raw(client, file.getvalue()[:-3000]), 422, "invalid_request", "sketch")


def test_decompression_bomb(client: httpx.Client) -> None:
    file = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(file, "PNG")
    check(raw(client, file.getvalue()), 422, "invalid_request", "sketch", "20000")


def test_image_too_small(client: httpx.Client) -> None:
    check(raw(client, png(15, 40)), 422, "invalid_request", "sketch", "15")


@pytest.mark.parametrize(
    ("path", "width", "height", "words"),
    [
        ("/generate/landscape", 100, 201, "1:2 to 2:1"),
        ("/generate/landscape", 201, 100, "1:2 to 2:1"),
        ("/generate/landscape", 4096, 16, "4096×16"),
        ("/segment", 100, 401, "1:4 to 4:1"),
        ("/segment", 4096, 16, "4096×16"),
    ],
)
def test_image_too_long(client: httpx.Client, path: str, width: int, height: int, words: str) -> None:
    field = "photo" if path == "/segment" else "sketch"
    headers = {"content-type": "image/png"}
    response = client.post(path, content=png(width, height), headers=headers)
    check(response, 422, "invalid_request", field, words)


def test_mostly_unmatched_colours_point_at_the_palette(client: httpx.Client) -> None:
    check(raw(client, png(color=(255, 0, 255))), 422, "invalid_request", "sketch", "/palette")


def test_unsupported_media_type(client: httpx.Client) -> None:
    check(raw(client, b"GIF89a", "image/gif"), 415, "unsupported_media_type", None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?seed=-2", "seed"),
        ("?seed=1_0", "seed"),
        ("?seed=x", "seed"),
        ("?n=5", "n"),
        ("?n=0", "n"),
        ("?format=gif", "format"),
        ("?class_seeds=7", "class_seeds"),
        ("?class_seeds={", "class_seeds"),
        ('?class_seeds={"lava":1}', "class_seeds"),
        ("?what=1", "what"),
        ("?seed=1&seed=2", "seed"),
    ],
)
def test_landscape_parameters_in_the_query(client: httpx.Client, query: str, field: str) -> None:
    response = raw(client, png(), query=query)
    assert response.status_code == 422, response.text
    assert response.json()["error"]["field"].startswith(field)


def test_landscape_parameters_in_json_and_form(client: httpx.Client) -> None:
    sketch = base64.b64encode(png()).decode()
    check(client.post("/generate/landscape", json={"sketch": sketch, "n": 9}), 422, "invalid_request", "n")
    check(client.post("/generate/landscape", json={"n": 1}), 422, "invalid_request", "sketch")
    check(client.post("/generate/landscape", json={"sketch": "%%%"}), 422, "invalid_request", "sketch")
    form = client.post("/generate/landscape", files={"sketch": png()}, data={"n": "9"})
    check(form, 422, "invalid_request", "n")
    check(client.post("/generate/landscape", files={"photo": png()}), 422, "invalid_request", "photo")
    check(client.post("/generate/landscape", data={"sketch": "x"}), 415, "unsupported_media_type", None)


def test_several_images_only_as_json(client: httpx.Client) -> None:
    headers = {"content-type": "image/png", "accept": "image/png, image/webp"}
    response = client.post("/generate/landscape?n=2", content=png(), headers=headers)
    assert response.status_code == 406
    assert response.json()["error"]["type"] == "not_acceptable"


def test_an_internal_error_says_an_id_that_the_log_repeats(client: httpx.Client, fake: Any) -> None:
    response = client.post("/generate/text", json={"prompt": "explode"})
    check(response, 500, "internal_error", None, "internal error")
    assert response.json()["error"]["message"].split()[-1] in fake.read_log()


def test_errors_are_json_even_for_unicode(client: httpx.Client) -> None:
    response = client.post("/generate/text", json={"prompt": "x", "model": "ü\n"})
    assert json.loads(response.content)["error"]["message"].startswith("unknown model")
