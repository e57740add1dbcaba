"""Every dial of the server, each with its one default: a variable ``PROSPERO_*``, a flag, a line of a file.

The only module of the service that reads the environment.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.config_file import read_config
from service.service_links import service_links

MAX_SECONDS = 10_000_000  # a third of a year; beyond it timers overflow somewhere

Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
_CLIENT_KEY = "PROSPERO_API_KEY"
_EMPTY_SECRET = "it is set and yet empty, which would keep nobody out; unset it if that is meant"


class SettingError(ValueError):
    """What a setting asks for can't be had. The text names its variable, wherever it was given."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{variable_of(setting)}: {reason}")
        self.setting, self.reason = setting, reason


class Settings(BaseSettings):
    """Frozen; an unknown ``PROSPERO_*`` variable or a value out of range refuses to start."""

    model_config = SettingsConfigDict(env_prefix="PROSPERO_", frozen=True, extra="forbid")

    config: Path | None = Field(None, description="TOML file of settings: docs/serving.md")

    # Where to listen, what to serve, on what.
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="any local address to listen on; 0.0.0.0 and :: are all of them",
    )
    port: int = Field(8000, ge=1024, le=65535, description="port to listen on")
    root_path: str = Field("", description="prefix that a proxy in front strips")
    checkpoints: Path = Field(Path("checkpoints"), description="folder; every checkpoint in it is served")
    text_model: str = Field("gpt-shakespeare", description="default of requests that name no model")
    landscape_model: str = Field("landscape", description="the same for landscapes")
    segment_model: str = Field("segmenter", description="the same for segmentation")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    # A reload holds two models for a moment, within its worker's share.
    text_gpu_share: float = Field(
        0.5, gt=0, le=1, description="of a GPU's memory, the most that a text worker takes"
    )
    image_gpu_share: float = Field(
        0.2, gt=0, le=1, description="the same for a worker of landscapes or of photos"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="of each worker's arithmetic; unset: one per core"
    )

    # How much at once.
    text_slots: int = Field(64, ge=1, le=4096, description="texts generated at once")
    text_weights: Annotated[dict[str, Literal["auto", "bfloat16", "int16", "int8"]], NoDecode] = Field(
        {},
        description='of text models, by name; JSON in the environment. "auto": 16 bits, as this processor '
        "multiplies them faster",
    )
    text_queue: int = Field(256, ge=1, description="further texts that may wait")
    landscape_queue: int = Field(64, ge=1, description="landscapes that may wait")
    segment_queue: int = Field(64, ge=1, description="photos that may wait")
    batch_wait_seconds: float = Field(
        0.004, ge=0, le=60, description="images on a GPU: a batch waits so long for likely others"
    )
    max_batch_seconds: Seconds = Field(
        1.0, description="images on a GPU: a batch is capped to about this much of forward"
    )
    stream_interval_seconds: float = Field(
        0.018, ge=0, le=60, description="texts: the longest that a stream's pieces wait"
    )

    max_connections: int = Field(
        4096,
        ge=16,
        le=1_000_000,
        description="open at once, as far as open files are allowed; idle ones make room for new ones",
    )
    max_head_bytes: int = Field(
        65_536, ge=1024, description="of a request's line and headers; more is 414 or 431"
    )
    max_headers: int = Field(100, ge=32, description="of one request; more is 431")

    # How long.
    request_timeout_seconds: Seconds = Field(
        120.0, description="for an answer; the most that a request's own `timeout` may ask for, too"
    )
    head_timeout_seconds: Seconds = Field(20.0, description="for a request's line and headers to arrive")
    body_timeout_seconds: Seconds = Field(60.0, description="for the whole body to arrive")
    send_timeout_seconds: Seconds = Field(
        60.0, description="a client that reads nothing of its answer for so long is cut off"
    )
    # Workers say how they are every 0.2 s: what is to be judged by that has to last for some of these.
    step_timeout_seconds: Seconds | None = Field(
        None, ge=1, description="for a worker's step; unset: the larger of 10 s and 20 warm-up steps"
    )
    load_timeout_seconds: Seconds = Field(300.0, ge=1, description="for a worker to load and warm its model")
    heartbeat_timeout_seconds: Seconds = Field(1.2, ge=1, description="a worker silent for longer is dead")
    keep_alive_seconds: Seconds = Field(
        75.0, description="an idle connection stays open; longer than a balancer in front keeps its own"
    )
    drain_delay_seconds: float = Field(
        5.0, ge=0, le=MAX_SECONDS, description="between SIGTERM's not-ready and the first refusal"
    )
    drain_grace_seconds: Seconds = Field(60.0, description="for what is in flight then to finish")
    max_restarts: int = Field(
        5, ge=0, description="of one worker within restart_window_seconds; more end the server"
    )
    restart_window_seconds: Seconds = Field(300.0, description="see max_restarts")

    # Who may do what.
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="of one request's body")
    max_picture_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="of a body that is a picture, or a form with one"
    )
    max_buffered_bytes: int = Field(
        512 * 1024 * 1024, ge=1024, description="of all bodies together; more is 503"
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="comma-separated; unset: no key asked for"
    )
    api_keys_file: Path | None = Field(
        None, description="one key a line; or *.toml, a table with limits for each: docs/keys.md"
    )
    key_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="where there are several keys: what one may take of places that the others leave",
    )
    protect_metrics: bool = Field(False, description="ask for a key on /metrics too")
    admin_token: SecretStr | None = Field(None, description="for /admin/*, which is 404 without one")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="comma-separated addresses and networks, or *: believe X-Forwarded-For",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="of pages that may call, comma-separated; empty: CORS off"
    )

    # The GAN Lab.
    lab_runs: int = Field(2, ge=0, le=64, description="lab runs at once; 0: no lab")
    lab_life_seconds: Seconds = Field(900.0, description="the longest that a lab run may live")
    lab_idle_seconds: Seconds = Field(30.0, description="for a new run's viewer to come")
    lab_grace_seconds: Seconds = Field(5.0, description="for a viewer who left to come back")
    lab_frames_per_second: float = Field(10.0, gt=0, le=30, description="at most, of each lab run")

    # What to log.
    log_format: Literal["text", "json"] = Field("text", description="of all lines of all processes")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lines below it are left out"
    )
    log_polls: bool = Field(False, description="a line for each poll of /health and /metrics, too")
    log_prompts: bool = Field(False, description="write prompts into the log, their beginnings")
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^(https?://[^/?#\s]+[^?#\s]*|)$",
        description="URL of a collector that takes traces, as http://localhost:4318; "
        "unset: that of OpenTelemetry's own variables, if any",
    )

    @field_validator("api_keys", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object, field: ValidationInfo) -> object:
        given = value.split(",") if isinstance(value, str) else value
        if not (isinstance(given, list) and all(isinstance(part, str) for part in given)):
            return value
        parts = tuple(part.strip() for part in given if part.strip())
        if not parts and field.field_name == "api_keys":
            raise ValueError(_EMPTY_SECRET)
        if field.field_name == "cors_origins":  # an origin has no path, and browsers write it in lower case
            return tuple(one.rstrip("/").lower() for one in parts)
        return parts

    @field_validator("text_weights", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        if isinstance(value, str):
            with suppress(ValueError):
                value = json.loads(value)
        if not isinstance(value, dict):
            raise ValueError('must be JSON such as {"gpt-shakespeare": "int8"}')
        return value

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, value: str) -> str:
        return value[1:-1] if value.startswith("[") and value.endswith("]") else value

    @field_validator("root_path")
    @classmethod
    def _as_path(cls, value: str) -> str:
        path = value.strip("/")
        if not re.fullmatch(r"[\w.~%+@=,-]+(/[\w.~%+@=,-]+)*|", path, re.ASCII):
            raise ValueError("must be a path such as /models")
        return f"/{path}" if path else ""

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^/?#\s]+", origin):
                raise ValueError(f"{origin!r} is no origin such as https://studio.example")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value if value != ("*",) else ():
            ipaddress.ip_network(network)  # raises a ValueError that says what is wrong
        return value

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        for name in ("max_body_bytes", "max_picture_bytes"):
            if self.max_buffered_bytes < getattr(self, name):
                raise ValueError(
                    f"max_buffered_bytes ({self.max_buffered_bytes}) must hold at least one body: "
                    f"{name} is {getattr(self, name)}"
                )
        return self

    @field_validator("admin_token")
    @classmethod
    def _any_token(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value is not None else None
        if token == "":
            raise ValueError(_EMPTY_SECRET)
        return None if token is None else SecretStr(token)


def read_settings(given: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """Those ``given`` as flags, over the environment's, over those of the config file, over defaults.

    Raises:
        ValueError: a value is out of range (pydantic's ValidationError), a name is unknown, or the file is.
    """
    if links := service_links(os.environ):
        print(f"prospero: not settings, but where a service is: ignored {', '.join(links)}", file=sys.stderr)
        for name in links:
            del os.environ[name]
    known = {_CLIENT_KEY, *(variable_of(name) for name in Settings.model_fields)}
    unknown = sorted(name for name in os.environ if name.startswith("PROSPERO_") and name not in known)
    if unknown:
        raise ValueError(f"unknown setting {', '.join(unknown)}")
    settings = Settings(**{**from_file(given), **given})
    if _CLIENT_KEY in os.environ and not (settings.api_keys or settings.api_keys_file):
        # Of a shell that is a client, too; or a slip, and then it must not mean that nobody is kept out.
        raise ValueError(f"{_CLIENT_KEY} is what clients send; a server asks for {variable_of('api_keys')}")
    return settings


def from_file(given: Mapping[str, Any]) -> dict[str, Any]:
    """The config file's settings that no variable overrides, by name; a flag may yet.

    Raises:
        ValueError: the file can't be read, or has a name that is unknown.
    """
    path = given.get("config", os.environ.get(variable_of("config")))
    if path is None:
        return {}
    values = read_config(Path(path), Settings.model_fields.keys() - {"config"})
    return {name: value for name, value in values.items() if not is_variable(name)}


def is_variable(name: str) -> bool:
    """Whether the environment has a setting; pydantic-settings takes it in lower case, too."""
    return any(variable.upper() == variable_of(name) for variable in os.environ)


def asks_for_json(given: Mapping[str, Any]) -> bool:
    """Whether logs shall be JSON, as is found out before anything is checked and might have to be told."""
    with suppress(ValueError):  # which is told in whatever form the rest says
        given = {**from_file(given), **given}
    wanted: object = given.get("log_format", os.environ.get(variable_of("log_format")))
    return wanted == "json"


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"PROSPERO_{name.upper()}"


def otel_variable(name: str) -> str:
    """OpenTelemetry's own variable ``OTEL_…``; empty if it isn't set, which means the same."""
    return os.environ.get(f"OTEL_{name}", "").strip()


def prepare_workers() -> None:
    """Set what worker processes inherit; a value that is set already stays.

    OpenMP threads that spin while they wait are ruinous when several workers and the HTTP process share the
    cores: a decoding step that takes 10 ms alone took seconds beside a busy neighbour. Sleeping costs
    microseconds.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault(
        "TOKENIZERS_PARALLELISM", "false"
    )  # prompts come one by one: its threads gain nothing
