"""Settings come from flags, variables, a TOML file, defaults, in that order; `--print-config` says which."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from service.flags import read_flags
from service.run import main
from service.settings import Settings, read_settings
from tests.service.test_flags import other_value

LISTS = {
    "api_keys": ["one", " two "],
    "cors_origins": ["http://a.example/"],
    "trusted_proxies": ["192.0.2.1"],
}
TABLES = {"text_weights": '{"gpt-shakespeare" = "int8"}'}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config file, which PROSPERO_CONFIG names."""
    path = tmp_path / "prospero.toml"
    monkeypatch.setenv("PROSPERO_CONFIG", str(path))
    return path


def as_toml(name: str) -> str:
    """The setting's other value, as whoever writes TOML would."""
    value, kind = other_value(name), repr(Settings.model_fields[name].annotation)
    is_bare = re.search(r"\b(int|float|bool)\b", kind)
    return TABLES.get(name) or (value if is_bare else f'"{value}"')


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main("prospero serve", list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line.removeprefix("prospero: ")


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"config"}))
def test_a_line_says_what_its_variable_says(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{name} = {as_toml(name)}")
    by_file = read_settings()
    file.write_text("")
    monkeypatch.setenv(f"PROSPERO_{name.upper()}", other_value(name))
    assert by_file == read_settings()
    assert getattr(by_file, name) != Settings.model_fields[name].default


@pytest.mark.parametrize("name", LISTS)
def test_what_is_comma_separated_may_be_a_list(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(f"{name} = {LISTS[name]}")
    by_file = read_settings()
    file.write_text("")
    monkeypatch.setenv(f"PROSPERO_{name.upper()}", ",".join(LISTS[name]))
    assert by_file == read_settings()


def test_one_precedence(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file.write_text("port = 9001\ntext_slots = 9002\nlab_runs = 3\n")
    monkeypatch.setenv("PROSPERO_PORT", "9003")
    monkeypatch.setenv("prospero_text_slots", "7")  # in lower case it is the same variable
    settings = read_settings(read_flags("serve", ["--port", "9004"]))
    assert (settings.port, settings.text_slots, settings.lab_runs, settings.max_restarts) == (9004, 7, 3, 5)
    (tmp_path / "other.toml").write_text("lab_runs = 4")
    assert read_settings({"config": str(tmp_path / "other.toml")}).lab_runs == 4  # one file, not both


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 9001", "{file}: unknown setting prot"),
        ("PORT = 9001", "{file}: unknown setting PORT"),
        ("[server]\nport = 9001", "{file}: unknown setting server"),
        ('config = "more.toml"', "{file}: unknown setting config"),
        ("port = ", "{file}: Invalid value (at end of document)"),
        ("port = 80", "port: Input should be greater than or equal to 1024 (config file)"),
        ("api_keys = []", "api_keys: it is set and yet empty"),
        ('api_keys = [""]', "api_keys: it is set and yet empty"),
        ('api_keys = " , "', "api_keys: it is set and yet empty"),
        ("api_keys = [3]", "api_keys: Input should be a valid string"),
        ('admin_token = ""', "admin_token: it is set and yet empty"),
        ("max_body_bytes = 1000000000", "max_buffered_bytes ("),
    ],
)
def test_a_slip_in_the_file_is_one_line(
    text: str, told: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(text)
    assert refusal(capsys).startswith(told.format(file=file))
    assert refusal(capsys, "--print-config").startswith(told.format(file=file))


def test_a_file_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys) == f"{file}: No such file or directory"
    file.write_bytes(b"\xff")
    assert refusal(capsys) == f"{file} is no text in UTF-8"
    assert "Is a directory" in refusal(capsys, "--config", str(file.parent))
    assert "Is a directory" in refusal(capsys, "--config", "")


def test_the_file_can_ask_for_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('log_format = "json"\nport = 80')
    assert refusal(capsys).startswith("{")


def test_every_setting_is_printed_with_its_source(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("text_slots = 9\nlab_runs = 3\n" + 'text_weights = {a = "int8"}\nlog_format = "json"')
    monkeypatch.setenv("PROSPERO_TEXT_SLOTS", "8")
    monkeypatch.setenv("PROSPERO_API_KEYS", "hush,secret")
    assert main("prospero serve", ["--port", "9000", "--admin-token", "whisper", "--print-config"]) == 0
    printed, err = capsys.readouterr()
    assert err == ""
    lines = printed.splitlines()
    for line in (
        "port = 9000  # --port",
        "text_slots = 8  # PROSPERO_TEXT_SLOTS",
        "lab_runs = 3  # config file",
        'text_weights = {"a" = "int8"}  # config file',
        'host = "127.0.0.1"  # default',
        "# threads: unset  # default",
        "# api_keys: **********  # PROSPERO_API_KEYS",
        "# admin_token: **********  # --admin-token",
        f"# config: {file}  # PROSPERO_CONFIG",
    ):
        assert line in lines
    assert not any(secret in printed for secret in ("hush", "secret", "whisper"))
    assert len(lines) == len(Settings.model_fields)


def test_what_is_printed_is_a_config_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(
        "".join(f"{name} = {as_toml(name)}\n" for name in Settings.model_fields if name != "config")
    )
    before = read_settings()
    assert main("prospero serve", ["--print-config"]) == 0
    printed = capsys.readouterr().out
    secret = {"api_keys", "admin_token"}
    assert tomllib.loads(printed).keys() == Settings.model_fields.keys() - secret - {"config"}
    file.write_text(printed)
    assert read_settings().model_dump(exclude=secret) == before.model_dump(exclude=secret)
