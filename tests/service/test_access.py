"""Secrets that come out empty keep nobody out, and so refuse to start; what is in force is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.access import access_line, read_keys
from service.run import main
from service.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("API_KEYS", one) for one in ("", " ", ",", " , ,")),
        *(("ADMIN_TOKEN", one) for one in ("", " ", "\t")),
    ],
)
def test_empty_secrets_refuse_to_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"PROSPERO_{name}", value)
    assert main("prospero serve", []) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"prospero: PROSPERO_{name}: it is set and yet empty")


@pytest.mark.parametrize("text", ["", "\n\n", "# a\n  # b\n", "\ufeff", "\ufeff# a\n"])
def test_a_file_without_keys_refuses_to_start(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PROSPERO_API_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("PROSPERO_API_KEYS", "one")  # what else there is doesn't help
    assert main("prospero serve", []) == 2
    assert capsys.readouterr().err == f"prospero: PROSPERO_API_KEYS_FILE: {tmp_path / 'keys'} holds no key\n"


@pytest.mark.parametrize(
    ("path", "said"),
    [("", ".: Is a directory"), ("/nowhere/keys", "/nowhere/keys: No such file or directory")],
)
def test_a_file_that_is_not_there_refuses_to_start(
    path: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROSPERO_API_KEYS_FILE", path)
    assert main("prospero serve", []) == 2
    assert capsys.readouterr().err == f"prospero: PROSPERO_API_KEYS_FILE: {said}\n"


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("one", encoding="utf-16")
    with pytest.raises(ValueError, match=r"PROSPERO_API_KEYS_FILE: .* UTF-8"):
        read_keys(Settings(api_keys_file=tmp_path / "keys"))


def test_keys_of_a_file(tmp_path: Path) -> None:
    lines = ["\ufeffone", "  # a note", "", "\ttwo  ", "three # no note", "#four"]
    (tmp_path / "keys").write_text("\r\n".join(lines), encoding="utf-8")
    settings = read_settings({"api_keys": "five,,six ", "api_keys_file": str(tmp_path / "keys")})
    assert set(read_keys(settings)) == {"one", "two", "three # no note", "five", "six"}


KEYS = """
[alice]
key = "open-sesame"
requests_per_second = 2
tokens_per_minute = 600
concurrency = 3
models = ["gpt-shakespeare"]

[bob]
key = "abracadabra"
"""


def test_named_keys_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(KEYS)
    keys = read_keys(Settings(api_keys_file=tmp_path / "keys.toml"))
    assert {secret: key.name for secret, key in keys.items()} == {
        "open-sesame": "alice",
        "abracadabra": "bob",
    }
    assert keys["open-sesame"].models == ("gpt-shakespeare",)
    assert keys["abracadabra"].concurrency is None
    assert "abracadabra" not in repr(keys["abracadabra"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("[alice", "is no TOML"),
        ('key = "secret-one"', "key must be a table"),
        ("[alice]\nconcurrency = 1", "alice: key: Field required"),
        ('[alice]\nkey = ""', "alice: key: is empty"),
        ('[alice]\nkey = "secret-one"\nmodels = []', "alice: models: is empty"),
        ('[alice]\nkey = "secret-one"\nrate = 1', "alice: rate: unknown field"),
        ('[alice]\nkey = "secret-one"\nconcurrency = 0', "alice: concurrency: "),
        ('[alice]\nkey = "secret-one"\nrequests_per_second = inf', "alice: requests_per_second"),
        ('["two words"]\nkey = "secret-one"', "two words: name: "),
        ('[alice]\nkey = "secret-one"\n[bob]\nkey = "secret-one"', "bob and alice have the same key"),
    ],
)
def test_a_slip_in_the_file_is_told_without_the_secret(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(text)
    with pytest.raises(ValueError, match="PROSPERO_API_KEYS_FILE") as error:
        read_keys(Settings(api_keys_file=tmp_path / "keys.toml"))
    assert said in str(error.value)
    assert "secret-one" not in str(error.value)


def test_a_token_has_no_blanks_around_it() -> None:
    token = read_settings({"admin_token": " open sesame\n"}).admin_token
    assert token is not None
    assert token.get_secret_value() == "open sesame"


def test_metrics_are_not_protected_by_no_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROSPERO_PROTECT_METRICS", "true")
    assert main("prospero serve", []) == 2
    assert capsys.readouterr().err.startswith("prospero: PROSPERO_PROTECT_METRICS: there is no API key")


def test_the_line_says_what_is_in_force_and_no_secret() -> None:
    given = {"api_keys": "one,two", "admin_token": "three", "cors_origins": "https://a.example"}
    line = access_line(read_settings(given), frozenset({"one", "two"}))
    assert "one of 2 API keys (open to all: the page, /docs, /health, /metrics)" in line
    assert "reload: with the admin token; web origins: https://a.example" in line
    assert not {"one,", "two,", "three"} & set(line.split())
    closed = access_line(read_settings({"protect_metrics": "true"}), frozenset({"one"}))
    assert "(open to all: the page, /docs, /health)" in closed
    assert "everybody who can connect" in access_line(Settings(), frozenset())
