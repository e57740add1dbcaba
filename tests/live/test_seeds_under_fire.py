"""Seeded requests among random others that join, leave and fail: each text is the one that it gets alone."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.probes import is_idle, post_raw, wait_until
from harness.server import Server
from tests.live.sse import stream_text, texts_of

PROMPTS = ["", "ROMEO:", "KING HENRY VI:\nWhat", "First Citizen:\nWe " * 40, "To be, or not to be" * 30]


def bodies(count: int, generator: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "prompt": generator.choice(PROMPTS),
            "seed": generator.randrange(2**53 - 8),
            "max_tokens": generator.randint(1, 40),
            "temperature": generator.choice([0, 0.5, 0.8, 1.3]),
            "top_k": generator.choice([None, 1, 10]),
            "top_p": generator.choice([1.0, 0.7]),
            "stop": generator.choice([[], ["\n"], ["e", "the"]]),
            "n": generator.choice([1, 1, 1, 3]),
        }
        for _ in range(count)
    ]


def whole(client: httpx.Client, body: dict[str, Any]) -> list[str]:
    response = client.post("/generate/text", json=body)
    assert response.status_code == 200, response.text
    return [choice["text"] for choice in response.json()["choices"]]


def fire(server: Server, client: httpx.Client, body: dict[str, Any], seed: int) -> list[str] | None:
    """One request of a random kind; None for those that were never meant to finish."""
    generator = random.Random(seed)
    match generator.randrange(8):
        case 0:  # leaves in the middle
            with post_raw(server, "/generate/text", **{**body, "max_tokens": 500}):
                generator.random()
            return None
        case 1:  # its time is up in the middle
            timeout = generator.uniform(0.001, 0.1)
            client.post("/generate/text", json={**body, "max_tokens": 500, "timeout": timeout})
            return None
        case 2 | 3 | 4:
            texts = texts_of(stream_text(client, **body))
            return [texts.get(index, "") for index in range(body["n"])]
        case _:
            return whole(client, body)


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_company_changes_no_text(bundled: Server, count: int) -> None:
    requests = bodies(count, random.Random(count))
    with bundled.client() as client, ThreadPoolExecutor(48) as pool:
        alone = [whole(client, body) for body in requests]
        jobs = [pool.submit(fire, bundled, client, body, seed) for seed, body in enumerate(requests)]
        together = [job.result() for job in jobs]
        wait_until(lambda: is_idle(bundled), seconds=60)
        again = [whole(client, body) for body in requests[:5]]
    finished = [(one, other) for one, other in zip(together, alone, strict=True) if one is not None]
    assert len(finished) > count // 2
    assert [one for one, _ in finished] == [other for _, other in finished]
    assert again == alone[:5]
    assert len({text for texts in alone for text in texts}) > count // 2  # they do differ
