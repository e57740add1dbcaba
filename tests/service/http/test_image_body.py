"""Which answer an Accept header asks for, and how an image and its parameters may arrive."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from starlette.requests import Request

from service.errors import ApiError
from service.http.accept import negotiate_format
from service.http.image_body import read_image_body
from service.schemas.images import LandscapeParameters

DATA = b"\x89PNG not really \x00\xff"


@pytest.mark.parametrize(
    ("accept", "chosen", "expected"),
    [
        ("", None, "png"),
        ("*/*", None, "png"),
        ("*/*", "webp", "webp"),
        ("image/*", None, "png"),
        ("image/*", "jpeg", "jpeg"),
        ("image/webp", None, "webp"),
        ("image/webp", "jpeg", "jpeg"),  # format decides among image types
        ("image/jpeg;q=0.5, image/webp;q=0.9", None, "webp"),
        ("application/json", None, None),
        ("application/json", "webp", None),
        ("application/json, */*", None, None),
        ("application/json;q=0.1, image/png", None, "png"),
        ("text/html, */*;q=0.1", None, "png"),
        ("APPLICATION/JSON", None, None),
        ("image/png;q=0, application/*", None, None),
        ("image/png;q=nonsense, image/jpeg", None, "jpeg"),
    ],
)
def test_one_image(accept: str, chosen: Any, expected: str | None) -> None:
    assert negotiate_format(accept, chosen, 1) == expected


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "image/png, application/*;q=0.1"])
def test_several_images_come_as_json(accept: str) -> None:
    assert negotiate_format(accept, "png", 2) is None


@pytest.mark.parametrize(
    ("accept", "count"),
    [("image/png", 2), ("image/*", 2), ("application/json;q=0", 2), ("text/html", 1), ("image/gif", 1)],
)
def test_nothing_that_is_accepted_fits(accept: str, count: int) -> None:
    with pytest.raises(ApiError) as caught:
        negotiate_format(accept, None, count)
    assert caught.value.status == 406


def request(content_type: str, body: bytes, query: str = "") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode())]
    return Request(
        {"type": "http", "method": "POST", "headers": headers, "query_string": query.encode()}, receive
    )


def read(content_type: str, body: bytes, query: str = "") -> tuple[bytes, LandscapeParameters]:
    return asyncio.run(read_image_body(request(content_type, body, query), "sketch", LandscapeParameters))


def form(*parts: tuple[str, bytes, bool], boundary: str = "xx") -> tuple[str, bytes]:
    """A content type and a body of (name, value, is it a file) parts."""
    body = b""
    for name, value, is_file in parts:
        file = '; filename="f"' if is_file else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + value + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def refusal(content_type: str, body: bytes, query: str = "") -> tuple[int, str | None]:
    with pytest.raises(ApiError) as caught:
        read(content_type, body, query)
    return caught.value.status, caught.value.field


def test_every_form_says_the_same() -> None:
    expected = LandscapeParameters(seed=7, n=2, format="webp", class_seeds={"sky": 1}, timeout=1.5)
    query = "seed=7&n=2&format=webp&class_seeds=%7B%22sky%22%3A1%7D&timeout=1.5"
    parts = {"seed": "7", "n": "2", "format": "webp", "class_seeds": '{"sky": 1}', "timeout": "1.5"}
    fields = [(name, value.encode(), False) for name, value in parts.items()]
    body = {"seed": 7, "n": 2, "format": "webp", "class_seeds": {"sky": 1}, "timeout": 1.5}
    encoded = base64.b64encode(DATA).decode()
    assert read("image/png", DATA, query) == (DATA, expected)
    assert read(*form(("sketch", DATA, True), *fields)) == (DATA, expected)
    assert read(*form(("sketch", DATA, True)), query) == (DATA, expected)
    for value in (encoded, "data:image/png;base64," + encoded, encoded[:9] + "\n" + encoded[9:]):
        assert read("application/json", json.dumps({"sketch": value, **body}).encode()) == (DATA, expected)


def test_images_as_clients_send_them() -> None:
    for content_type in ("image/jpg", "application/octet-stream"):
        assert read(content_type, DATA, "format=jpg")[1].format == "jpeg"
    for encoded in (base64.b64encode(DATA).decode(), base64.urlsafe_b64encode(DATA).decode()):
        for value in (encoded, encoded.rstrip("="), "DATA:image/png;BASE64," + encoded):
            assert read("application/json", json.dumps({"sketch": value, "n": None}).encode())[0] == DATA
    file, empty = ("sketch", DATA, True), ("seed", b"", False)
    assert read(*form(file, empty, ("format", b"jpg", False)))[1] == LandscapeParameters(format="jpeg")
    for seed in (b"1_0", b"\xd9\xa1", b"inf", b"0x1", b" 1"):
        assert refusal(*form(file, ("seed", seed, False))) == (422, "seed")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Starlette leaves it open
def test_a_form_that_breaks_off_within_its_file() -> None:
    content_type, body = form(("sketch", DATA, True))
    with pytest.raises(ApiError, match="or ends within it"):
        read(content_type, body[: body.index(DATA) + 5])


LARGE = DATA + bytes(range(256)) * 8192  # two megabytes


def large(value: str) -> bytes:
    return json.dumps({"sketch": value, "seed": 7}).encode()


def test_large_pictures_in_json_are_read_as_small_ones() -> None:
    plain, safe = base64.b64encode(LARGE).decode(), base64.urlsafe_b64encode(LARGE).decode()
    lines = "\r\n".join(plain[start : start + 76] for start in range(0, len(plain), 76))
    for value in (plain, safe, plain.rstrip("="), lines, "data:image/png;base64," + plain, f" {plain} "):
        assert read("application/json", large(value)) == (LARGE, LandscapeParameters(seed=7))
    for body in (large(plain).replace(b"/", b"\\/"), large(plain).replace(b"A", b"\\u0041")):
        assert read("application/json", body)[0] == LARGE
    middle = len(plain) // 2
    for mistake in ("=", "!", "\\n", "\u00e9"):
        assert refusal("application/json", large(plain[:middle] + mistake + plain[middle:])) == (
            422,
            "sketch",
        )
    assert refusal("application/json", large("data:image/png," + plain)) == (422, "sketch")
    assert refusal("application/json", large(plain)[:-1]) == (400, None)
    numbers = json.dumps({"sketch": [100] * 60_000, "x": " "}).encode()
    assert refusal("application/json", numbers) == (422, "x")
    assert refusal("application/json", numbers.replace(b'"x"', b'"model"')) == (422, "sketch")


def test_large_pictures_in_json_are_decoded_beside_the_loop() -> None:
    """What is left for the loop's own thread is a look over the body."""
    body = large(base64.b64encode(bytes(30_000_000)).decode())

    async def run() -> float:
        began = time.thread_time()
        await read_image_body(request("application/json", body), "sketch", LandscapeParameters)
        return time.thread_time() - began

    began = time.process_time()
    on_loop = asyncio.run(run())
    assert on_loop < (time.process_time() - began) / 2


def test_content_types_are_read_leniently() -> None:
    assert read("IMAGE/PNG; charset=binary", DATA)[0] == DATA


@pytest.mark.parametrize("content_type", ["", "text/plain", "image/gif", "application/x-www-form-urlencoded"])
def test_other_content_types(content_type: str) -> None:
    assert refusal(content_type, b"x") == (415, None)


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"a": ' + b"[" * 100_000])
def test_what_is_not_json(body: bytes) -> None:
    assert refusal("application/json", body) == (400, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], None),
        ({}, "sketch"),
        ({"sketch": 7}, "sketch"),
        ({"sketch": "!!"}, "sketch"),
        ({"sketch": "data:image/png,raw"}, "sketch"),
        ({"sketch": "data:image/png;base64"}, "sketch"),
        ({"sketch": "", "seed": "7"}, "seed"),
        ({"sketch": "", "unknown": 1}, "unknown"),
    ],
)
def test_json_that_is_wrong(body: Any, field: str | None) -> None:
    assert refusal("application/json", json.dumps(body).encode()) == (422, field)


def test_json_takes_no_query() -> None:
    assert refusal("application/json", b'{"sketch": ""}', "seed=1") == (422, "seed")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("seed=x", "seed"),
        ("seed=1.5", "seed"),
        ("seed=%201", "seed"),
        ("seed=", "seed"),
        ("seed=1&seed=2", "seed"),
        ("n=5", "n"),
        ("format=gif", "format"),
        ("timeout=nan", "timeout"),
        ("timeout=0", "timeout"),
        ("class_seeds=1", "class_seeds"),
        ("class_seeds=%7B", "class_seeds"),
        ("unknown=1", "unknown"),
    ],
)
def test_queries_that_are_wrong(query: str, field: str) -> None:
    assert refusal("image/png", DATA, query) == (422, field)


def test_forms_that_are_wrong() -> None:
    file = ("sketch", DATA, True)
    assert refusal(*form()) == (422, "sketch")
    assert refusal(*form(("sketch", b"text", False))) == (422, "sketch")
    assert refusal(*form(("photo", DATA, True))) == (422, "photo")
    assert refusal(*form(file, ("seed", b"1", False), ("seed", b"2", False))) == (422, "seed")
    assert refusal(*form(file, ("seed", b"1", False)), "seed=1") == (422, "seed")
    assert refusal(*form(file, file)) == (422, "sketch")
    assert refusal("multipart/form-data", b"x") == (400, None)
    assert refusal("multipart/form-data; boundary=xx", b"nothing of the kind") == (400, None)
