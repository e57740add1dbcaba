"""The run folder that every training job keeps: settings, log, progress, resumable state, time box.

    <folder>/settings.json   what the run was started with; a resumed run must match it
    <folder>/log.jsonl       one JSON object a line
    <folder>/state.pt        everything that training needs to go on, replaced atomically

A time box only stops a run: schedules depend on steps, so that stopping and resuming changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ConfigDict, ValidationError

from models.checkpoint import read_metrics
from models.earlier_names import EarlierNames
from training.progress import Progress


class TrainingError(Exception):
    """A run that can't start or go on, for a reason that its user can mend. Its text is fit to print."""


class Settings(EarlierNames):
    """Base of every job's settings: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


def add_run_arguments(parser: argparse.ArgumentParser, presets: Mapping[str, Settings]) -> None:
    """Add the arguments that every job has."""
    parser.add_argument("--preset", choices=sorted(presets), default=next(iter(presets)))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting"
    )
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="log, state and snapshots")
    parser.add_argument("--out", type=Path, metavar="CHECKPOINT", help="where the trained checkpoint goes")
    parser.add_argument("--force", action="store_true", help="replace even a better checkpoint at --out")
    parser.add_argument("--resume", action="store_true", help="go on from the state in --run")
    parser.add_argument("--max-minutes", type=float, metavar="M", help="save and stop after so long")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's own choice)"
    )


def resolve_settings(base: S, overrides: list[str]) -> S:
    """Apply KEY=VALUE overrides to a preset; values are JSON where they parse as such, else plain strings.

    Raises:
        TrainingError: an unknown key or a value that does not validate.
    """
    values = base.model_dump()
    for override in overrides:
        key, separator, text = override.partition("=")
        key = base.earlier_names.get(key, key)
        if not separator or key not in values:
            raise TrainingError(f"--set {override}: expected one of {', '.join(sorted(values))} =VALUE")
        value: Any = text
        with suppress(ValueError):
            value = json.loads(text)
        values[key] = value
    try:
        return type(base).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise TrainingError(f"--set {where}: {first['msg']}") from None


def pick_device(name: str, threads: int | None) -> torch.device:
    """Set the thread count and return the device; TrainingError when it is not there."""
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"--device {name}: {str(error).splitlines()[0]}") from None
    return device


def is_replaceable(folder: Path, metric: str, value: float, force: bool) -> bool:
    """Whether a checkpoint whose `metric` (lower is better) is `value` may replace the one there."""
    there = read_metrics(folder).get(metric)
    return force or not isinstance(there, int | float) or value < there


class Run:
    """One run's folder, clock and progress.

    Attributes:
        step: optimiser steps done.
        seconds: time spent in steps, over all resumptions, no evaluations (`timed`, or callers add to it).
        cpu_seconds: processor time of all threads within `timed`; other programs on the machine don't count.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        num_steps: int,
        resume: bool,
        max_minutes: float | None = None,
        is_main: bool = True,
    ) -> None:
        """Start or resume.

        Args:
            is_main: False in all but one process of a run that several share: they read, but write nothing.

        Raises:
            TrainingError: the folder holds another run's state, or there is nothing to resume.
        """
        self.folder, self.num_steps, self.step = folder, num_steps, 0
        self.seconds = self.cpu_seconds = 0.0
        self._is_main = is_main
        self._progress = Progress(num_steps) if is_main else None
        self._state_path = folder / "state.pt"
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        if resume:
            kept, given = read_settings(folder, type(settings)).model_dump(), settings.model_dump()
            changed = sorted(key for key in given if given[key] != kept[key])
            if changed:
                raise TrainingError(f"{folder}: was run with other settings ({', '.join(changed)})")
        elif self._state_path.exists():
            raise TrainingError(f"{folder}: holds a run already; give --resume or another folder")
        if is_main:
            write_settings(folder, settings)

    @property
    def is_time_up(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what happens within to both clocks."""
        began, began_cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.process_time() - began_cpu

    def log(self, **metrics: Any) -> None:
        """Append one line to the log, with the step and the training seconds so far."""
        if not self._is_main:
            return
        line = {"step": self.step, "seconds": round(self.seconds, 3), **metrics}
        if self.cpu_seconds:
            line["cpu_seconds"] = round(self.cpu_seconds, 3)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Every line of the log, oldest first; lines after the state that was resumed are gone."""
        return read_log(self.folder)

    def show(self, **metrics: float) -> None:
        """Move the progress on to the current step."""
        if self._progress is not None:
            self._progress.show(self.step, metrics)

    def say(self, text: str) -> None:
        """Print a line without breaking the progress bar."""
        if self._progress is not None:
            self._progress.say(text)

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write what `load_state` gives back, with step and clock; a crash leaves the old or the new."""
        if not self._is_main:
            return
        clocks = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
        whole = {"step": self.step, **clocks, "state": dict(state)}
        fresh = self._state_path.with_suffix(".tmp")
        with fresh.open("wb") as file:
            torch.save(whole, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._state_path)

    def load_state(self, device: torch.device) -> dict[str, Any]:
        """Read the state back, set step and clock, and drop the log's lines from after it."""
        whole = torch.load(self._state_path, map_location=device, weights_only=True)
        self.step, self.seconds = whole["step"], whole["seconds"]
        self.cpu_seconds = whole.get("cpu_seconds", 0.0)  # states from before there was this clock
        if self._is_main:
            kept = [line for line in self.read_log() if line["step"] <= self.step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            write_atomically(self.folder / "log.jsonl", text.encode())
        state: dict[str, Any] = whole["state"]
        return state

    def publish(self, fresh: Path, out: Path | None, metric: str, force: bool) -> bool:
        """Copy the checkpoint `fresh` to `out` unless a better one stands there; says what it did."""
        if out is None:
            return False
        value = read_metrics(fresh)[metric]
        if not is_replaceable(out, metric, value, force):
            there = read_metrics(out)[metric]
            self.say(f"{out} stays: its {metric} {there:.4f} is no worse than {value:.4f} (--force replaces)")
            return False
        staged, old = out.with_name(f".{out.name}.fresh"), out.with_name(f".{out.name}.old")
        for leftover in (staged, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(fresh, staged)
        if out.exists():
            out.rename(old)
        staged.rename(out)
        shutil.rmtree(old, ignore_errors=True)
        self.say(f"{out}: {metric} {value:.4f}")
        return True

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Every line of a run's log, oldest first; none where there is no log."""
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def read_settings(folder: Path, settings_type: type[S]) -> S:
    """What a run that has a state was started with; dials that are newer than it have their defaults.

    Raises:
        TrainingError: no state there, or settings that are no longer understood.
    """
    if not (folder / "state.pt").exists():
        raise TrainingError(f"{folder}: nothing to resume (no state.pt)")
    try:
        return settings_type.model_validate_json((folder / "settings.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(f"{folder / 'settings.json'}: {str(error).splitlines()[0]}") from None


def write_settings(folder: Path, settings: Settings) -> None:
    """Make the run's folder and write its settings.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "settings.json", (settings.model_dump_json(indent=2) + "\n").encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or none."""
    fresh = path.with_name(f".{path.name}.tmp")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
