"""Every dial of the server, each with its one default: environment variables ``PROSPERO_*``.

The only module of the service that reads the environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Frozen; an unknown ``PROSPERO_*`` variable or a value out of range refuses to start."""

    model_config = SettingsConfigDict(env_prefix="PROSPERO_", frozen=True, extra="forbid")

    # Where to listen, what to serve, on what.
    host: Literal["127.0.0.1", "0.0.0.0", "::"] = "127.0.0.1"  # the addresses that LitServe binds
    port: int = Field(8000, ge=1024, le=65535)
    root_path: str = ""  # the prefix that a proxy in front strips
    checkpoints: Path = Path("checkpoints")  # every checkpoint in this folder is served
    text_model: str = "gpt-shakespeare"  # the defaults of requests that name no model
    landscape_model: str = "landscape"
    segment_model: str = "segmenter"
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    threads: int | None = Field(None, ge=1)  # of each worker's arithmetic; None: one per core

    # How much at once.
    text_slots: int = Field(64, ge=1, le=4096)  # texts generated at once
    text_weights: dict[str, Literal["auto", "bfloat16", "int8"]] = {}  # by model; JSON in the environment
    text_queue: int = Field(256, ge=1)  # further ones that may wait
    landscape_queue: int = Field(64, ge=1)
    segment_queue: int = Field(64, ge=1)
    batch_wait_seconds: float = Field(0.004, ge=0)  # images: a batch waits so long for likely others
    max_batch_seconds: Seconds = 1.0  # images: a batch is capped to about this much of forward
    stream_interval_seconds: float = Field(0.018, ge=0)  # texts: the longest that a stream's pieces wait

    # How long.
    request_timeout_seconds: Seconds = 120.0  # the most that a request's own `timeout` may ask for, too
    body_timeout_seconds: Seconds = 20.0  # for the whole body to arrive
    step_timeout_seconds: Seconds | None = None  # None: the larger of 10 s and 20 warm-up steps
    load_timeout_seconds: Seconds = 300.0  # for a worker to load and warm its model
    heartbeat_timeout_seconds: Seconds = 1.2  # a worker silent for longer is dead
    drain_delay_seconds: float = Field(5.0, ge=0)  # between SIGTERM's not-ready and the first refusal
    drain_grace_seconds: Seconds = 60.0  # for what is in flight then to finish
    max_restarts: int = Field(5, ge=0)  # of one worker within restart_window_seconds; more end the server
    restart_window_seconds: Seconds = 300.0

    # Who may do what.
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024)
    max_buffered_bytes: int = Field(512 * 1024 * 1024, ge=1024)  # of all bodies together; more is 503
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()  # comma-separated; empty: no key asked for
    api_keys_file: Path | None = None  # one key a line, read at start
    protect_metrics: bool = False  # ask for a key on /metrics too
    admin_token: SecretStr | None = None  # without one, /admin/* is 404
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()  # comma-separated; empty: CORS off

    # The GAN Lab.
    lab_runs: int = Field(2, ge=0, le=64)  # at once; 0: no lab
    lab_life_seconds: Seconds = 900.0  # the longest that a run may live
    lab_idle_seconds: Seconds = 30.0  # for a new run's viewer to come
    lab_grace_seconds: Seconds = 5.0  # for a viewer who left to come back
    lab_frames_per_second: float = Field(10.0, gt=0, le=30)

    # What to log.
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_prompts: bool = False

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    def keys(self) -> frozenset[str]:
        """All API keys, from the variable and from the file.

        Raises:
            OSError: the file can't be read.
        """
        keys = {key.get_secret_value() for key in self.api_keys}
        if self.api_keys_file is not None:
            lines = self.api_keys_file.read_text(encoding="utf-8").splitlines()
            keys |= {line.strip() for line in lines if line.strip() and not line.startswith("#")}
        return frozenset(keys)


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        ValueError: a value is out of range (pydantic's ValidationError), or a ``PROSPERO_*`` name is unknown.
    """
    known = {f"PROSPERO_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("PROSPERO_") and name not in known)
    if unknown:
        raise ValueError(f"unknown setting {', '.join(unknown)}")
    return Settings()


def prepare_workers() -> None:
    """Set what worker processes inherit; a value that is set already stays.

    OpenMP threads that spin while they wait are ruinous when several workers and the HTTP process share the
    cores: a decoding step that takes 10 ms alone took seconds beside a busy neighbour. Sleeping costs
    microseconds.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
