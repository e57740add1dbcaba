"""Whose pages may have a browser send something: ours, allowed ones, and whoever is no browser."""

from __future__ import annotations

import pytest

from service.errors import ApiError
from service.http.origins import Origins

ALLOWED = ("https://studio.example", "http://localhost:3000")


def is_let_in(origin: str, method: str = "POST", allowed: tuple[str, ...] = ALLOWED, **headers: str) -> bool:
    given = {"host": "prospero.example", **headers, "origin": origin}
    raw = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in given.items()}
    try:
        Origins(allowed).check(method, raw)
    except ApiError as error:
        return error.status != 403
    return True


@pytest.mark.parametrize("origin", ["https://prospero.example", "http://prospero.example", *ALLOWED])
def test_our_own_and_allowed_pages(origin: str) -> None:
    assert is_let_in(origin)
    assert is_let_in(origin.upper())


@pytest.mark.parametrize(
    "origin",
    [
        *("https://elsewhere.example", "null", "https://prospero.example:8443", "file://", "https://"),
        *("https://prospero.example.evil", "https://evil-prospero.example", "https://studio.example:444"),
        *("http://studio.example", "https://a@prospero.example", "\u00ff", "prospero.example", "://"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_foreign_pages(origin: str, method: str) -> None:
    assert not is_let_in(origin, method)
    assert not is_let_in(origin, method, allowed=())
    assert is_let_in(origin, method, allowed=("*",))
    assert is_let_in(origin, "GET")  # CORS keeps the answer from it
    assert not is_let_in(origin, method, sec_fetch_site="cross-site")
    assert not is_let_in(origin, method, sec_fetch_site="same-site")


def test_clients_that_are_no_browser() -> None:
    assert is_let_in("", host="")


def test_ports_that_go_without_saying() -> None:
    assert is_let_in("https://prospero.example", host="prospero.example:443")
    assert is_let_in("http://prospero.example", host="prospero.example:80")
    assert not is_let_in("https://prospero.example", host="prospero.example:80")
    assert is_let_in("http://[::1]:8000", host="[::1]:8000")


def test_behind_a_proxy_that_names_us_otherwise() -> None:
    assert not is_let_in("https://prospero.example", host="upstream:8000")
    assert is_let_in("https://prospero.example", host="upstream:8000", x_forwarded_host="prospero.example")
    assert is_let_in("https://prospero.example", host="upstream:8000", sec_fetch_site="same-origin")
    assert not is_let_in("null", host="", x_forwarded_host="")
