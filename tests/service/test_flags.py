"""Every setting of the server is a variable and a flag, and both are read alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.flags import flag_of, read_flags
from service.run import main
from service.settings import Settings, read_settings, variable_of

OTHER: dict[str, str] = {  # a value for each setting that is not its default
    "host": "0.0.0.0",
    "device": "cuda:1",
    "protect_metrics": "true",
    "log_prompts": "true",
    "log_format": "json",
    "log_level": "debug",
    "api_keys": "one,two",
    "cors_origins": "http://a.example, http://b.example",
    "trusted_proxies": "10.0.0.0/8, 192.0.2.1",
    "log_polls": "true",
    "max_buffered_bytes": "99999999",
    "lab_frames_per_second": "7.5",
    "text_gpu_share": "0.33",
    "image_gpu_share": "0.33",
    "key_share": "0.33",
    "config": str(Path(__file__).with_name("empty.toml")),
    "otlp_endpoint": "https://collector.example/base",
    "text_weights": '{"gpt-shakespeare": "int8"}',
}


def other_value(name: str) -> str:
    """A number is taken for a string's value, too."""
    return OTHER.get(name, "9000" if name == "port" else "2048" if name.endswith("_bytes") else "33")


def arguments_of(name: str) -> list[str]:
    return [flag_of(name)] if OTHER.get(name) == "true" else [flag_of(name), other_value(name)]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_flag_says_what_its_variable_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_flag = read_settings(read_flags("serve", arguments_of(name)))
    monkeypatch.setenv(variable_of(name), other_value(name))
    by_variable = read_settings()
    assert by_flag == by_variable
    assert getattr(by_flag, name) != Settings.model_fields[name].default


def test_no_flag_changes_nothing() -> None:
    assert read_flags("serve", []) == {}
    assert read_settings({}) == Settings()


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSPERO_PORT", "9001")
    monkeypatch.setenv("PROSPERO_PROTECT_METRICS", "true")
    settings = read_settings(read_flags("serve", ["--port", "9002", "--no-protect-metrics"]))
    assert (settings.port, settings.protect_metrics) == (9002, False)


def test_help_has_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_flags("prospero serve", ["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"{flag_of(name)} " in words or f"{flag_of(name)}," in words
    assert "port to listen on (default: 8000)" in words


@pytest.mark.parametrize("arguments", [["--prot", "8001"], ["--por", "8001"], ["8001"], ["--port"]])
def test_what_is_no_flag_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_flags("prospero serve", arguments)
    assert end.value.code == 2
    assert "prospero serve: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "arguments", "named"),
    [
        ({}, ["--port", "80"], "--port: "),
        ({"PROSPERO_PORT": "80"}, [], "PROSPERO_PORT: "),
        ({"PROSPERO_PORT": "9001"}, ["--text-slots", "none"], "--text-slots: "),
        ({"PROSPERO_PROT": "9001"}, [], "unknown setting PROSPERO_PROT"),
        ({}, ["--checkpoints", "/nowhere"], "/nowhere: no such folder of checkpoints"),
        ({}, ["--device", "tpu"], "--device: "),
        ({}, ["--text-weights", "int8"], '--text-weights: must be JSON such as {"'),
        ({}, ["--text-weights", '["int8"]'], '--text-weights: must be JSON such as {"'),
        ({"PROSPERO_TEXT_WEIGHTS": "int8"}, [], 'PROSPERO_TEXT_WEIGHTS: must be JSON such as {"'),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(
    variables: dict[str, str],
    arguments: list[str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main("prospero serve", arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"prospero: {named}")
    assert len(said.splitlines()) == 1
