"""`POST /tokenize` and `/detokenize`: text to token ids and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.server import Server


@pytest.fixture(scope="module")
def gpt(bundled: Server) -> Iterator[httpx.Client]:
    with bundled.client() as client:
        yield client


@pytest.mark.parametrize("text", ["", "ROMEO:\nWhat light?", "東京 😀"])
def test_there_and_back(gpt: httpx.Client, text: str) -> None:
    answer = gpt.post("/tokenize", json={"prompt": text, "return_token_strs": True}).json()
    assert answer["count"] == len(answer["tokens"]) == len(answer["token_strs"])
    assert answer["max_model_len"] == 1024
    assert gpt.post("/detokenize", json={"tokens": answer["tokens"]}).json() == {"prompt": text}


def test_they_are_the_ids_that_the_engine_reads(gpt: httpx.Client) -> None:
    body = {"prompt": "ROMEO: again", "max_tokens": 1, "return_token_ids": True}
    (choice,) = gpt.post("/generate/text", json=body).json()["choices"]
    assert (
        choice["prompt_token_ids"] == gpt.post("/tokenize", json={"prompt": "ROMEO: again"}).json()["tokens"]
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/tokenize", {}, 422, "prompt"),
        ("/tokenize", {"prompt": "a", "more": 1}, 422, "more"),
        ("/tokenize", {"prompt": "a", "model": "landscape"}, 404, "model"),
        ("/detokenize", {"tokens": [1, 99_999]}, 422, "tokens"),
        ("/detokenize", {"tokens": "a"}, 422, "tokens"),
    ],
)
def test_what_is_wrong_is_named(gpt: httpx.Client, path: str, body: Any, status: int, field: str) -> None:
    response = gpt.post(path, json=body)
    assert (response.status_code, response.json()["error"]["field"]) == (status, field)
