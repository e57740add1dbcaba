"""Bodies of megabytes of small values hold up nobody: the event loop reads and refuses them in a moment."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from harness.probes import cpu_seconds
from harness.server import Server

MAX_SECONDS = 0.4  # of a processor; a half of it for receiving 16 MiB. Some of these took 0.6, one 3


def many(value: str, count: int) -> bytes:
    return b"[" + b",".join([value.encode()] * count) + b"]"


def completion(field: str, value: bytes) -> tuple[str, bytes]:
    return "/v1/completions", b'{"prompt": "a", "%s": %s}' % (field.encode(), value)


def biases(count: int) -> bytes:
    return json.dumps({f"x{index}": "y" for index in range(count)}).encode()


def message(parts: bytes) -> tuple[str, bytes]:
    return "/v1/chat/completions", b'{"messages": [{"role": "user", "content": %s}]}' % parts


FIELDS = ("stop", "seed", "top_k", "min_p", "model", "stream", "n")
MEGABYTES = b",".join(b'"%s": %s' % (name.encode(), many("{}", 340_000)) for name in FIELDS)
BODIES: dict[str, tuple[str, bytes]] = {
    "eight million ids": completion("prompt", many("1", 8_000_000)),
    "prompts of ids": completion("prompt", many(many("1", 26_000).decode(), 300)),
    "four million texts": completion("prompt", many('"a"', 4_000_000)),
    "stops": completion("stop", many("[]", 340_000)),
    "biases of a small body": completion("logit_bias", biases(15_000)),
    "messages": ("/v1/chat/completions", b'{"messages": %s}' % many("{}", 340_000)),
    "parts": message(many("{}", 340_000)),
    "parts of a small body": message(many("{}", 85_000)),
    "field upon field": ("/generate/text", b"{%s}" % MEGABYTES),
    "a picture of numbers": ("/segment", b'{"photo": %s}' % many("1", 8_000_000)),
}


def http_pid(server: Server) -> int:
    return int(re.findall(r"listening pid=(\d+)", server.read_log())[0])


@pytest.mark.parametrize("name", BODIES)
def test_no_body_takes_the_loop_for_long(fake: Server, name: str) -> None:
    """By the time that its process works, which is what others wait for, however busy the machine is."""
    path, body = BODIES[name]
    pid, headers = http_pid(fake), {"Content-Type": "application/json"}
    before = cpu_seconds(pid)
    answer = httpx.post(fake.url + path, content=body, headers=headers, timeout=120)
    seconds = cpu_seconds(pid) - before
    assert answer.status_code in (400, 422), answer.text  # OpenAI's 422 is a 400
    assert seconds < MAX_SECONDS
