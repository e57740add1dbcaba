"""The run folder that every training job keeps: settings, log, progress, resumable state, time box.

    <folder>/settings.json   what the run was started with; a resumed run must match it
    <folder>/log.jsonl       one JSON object a line (`log.py`)
    <folder>/curve.png       the log as a picture (`course.py`)
    <folder>/state.pt        everything that training needs to go on, replaced atomically (`state.py`)

A time box only stops a run: schedules depend on steps, so that stopping and resuming changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ConfigDict, ValidationError

from models.earlier_names import EarlierNames
from training.errors import TrainingError
from training.files import write_atomically
from training.log import append_line, cut_log, read_log
from training.progress import Progress
from training.state import read_state, write_state


class Settings(EarlierNames):
    """Base of every job's settings: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class DataIdentity:
    """Which data a run is trained on.

    Attributes:
        name: what people call it.
        sha256: of all that is trained on or chosen by.
        source: path or URL that it was read from, so that a run that goes on finds it; None: many places.
    """

    name: str
    sha256: str
    source: str | None = None

    @classmethod
    def of_parts(cls, name: str, source: Path | None, digests: Iterable[str]) -> DataIdentity:
        """Identify what has several parts, by the digest of each."""
        sha256 = hashlib.sha256("".join(digests).encode()).hexdigest()
        return cls(name, sha256, None if source is None else str(source.resolve()))


class Run:
    """One run's folder, clock and progress.

    Attributes:
        step: optimiser steps done.
        seconds: time spent in steps, over all resumptions, no evaluations (`timed`, or callers add to it).
        cpu_seconds: processor time of all threads within `timed`; other programs on the machine don't count.
        data: what it is trained on; None for a state from before states had it, until it is settled.
        stopped_by: the signal that ended it before its last step.
        unlogged: losses of the steps since the log's last line; they are part of the state.
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
        self.unlogged: list[dict[str, float]] = []
        self.data: DataIdentity | None = None
        self.stopped_by: int | None = None
        self._is_main = is_main
        self._progress = Progress(num_steps) if is_main else None
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        if resume:
            kept, given = read_settings(folder, type(settings)).model_dump(), settings.model_dump()
            changed = sorted(key for key in given if given[key] != kept[key])
            if changed:
                raise TrainingError(f"{folder}: was run with other settings ({', '.join(changed)})")
        else:
            check_is_free(folder, type(settings))
        if is_main:
            write_settings(folder, settings)
            if not resume:
                cut_log(folder, 0)  # of a run that never saved a state

    @property
    def data_folder(self) -> Path | None:
        """Where the data of the state that is gone on from were read; None for a run that begins."""
        return None if self.data is None or self.data.source is None else Path(self.data.source)

    @property
    def data_name(self) -> str:
        """What people call what it is trained on, once that is settled."""
        return "" if self.data is None else self.data.name

    @property
    def exit_status(self) -> int:
        """What a shell should see: 0, or that a signal ended it."""
        return 0 if self.stopped_by is None else 128 + self.stopped_by

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
        append_line(self.folder, line)

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
        """Write what `load_state` gives back, with step, clock and data; a crash leaves the old or the new.

        Raises:
            TrainingError: it can't be written; the one before it is kept.
        """
        if not self._is_main:
            return
        clocks = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
        data = {} if self.data is None else {"data": asdict(self.data)}
        whole = {"step": self.step, **clocks, **data, "unlogged": self.unlogged, "state": dict(state)}
        write_state(self.folder / STATE_FILE, whole)

    def load_state(self, device: torch.device) -> dict[str, Any]:
        """Read the state back, set step, clock and data, and drop the log's lines from after it.

        Raises:
            TrainingError: the state can't be read.
        """
        whole = read_state(self.folder / STATE_FILE, device)
        self.step, self.seconds = whole["step"], whole["seconds"]
        # States may be from before there were these.
        self.cpu_seconds, self.unlogged = whole.get("cpu_seconds", 0.0), whole.get("unlogged", [])
        self.data = DataIdentity(**whole["data"]) if "data" in whole else None
        if self._is_main:
            cut_log(self.folder, self.step)
        state: dict[str, Any] = whole["state"]
        return state

    def settle_data(self, data: DataIdentity) -> None:
        """Say what is trained on; a run that goes on takes nothing else.

        Raises:
            TrainingError: the run's state is from other data.
        """
        if self.data is not None and self.data.sha256 != data.sha256:
            theirs, ours = (f"{one.name} (SHA-256 {one.sha256[:12]}…)" for one in (self.data, data))
            raise TrainingError(f"{self.folder}: was trained on {theirs}, not on {ours}; give what it was")
        self.data = data

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()


def read_settings(folder: Path, settings_type: type[S]) -> S:
    """What a run that has a state was started with; dials that are newer than it have their defaults.

    Raises:
        TrainingError: no state there, or settings that are no longer understood.
    """
    if not (folder / STATE_FILE).exists():
        raise TrainingError(f"{folder}: nothing to resume (no state.pt)")
    try:
        return settings_type.model_validate_json((folder / "settings.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(f"{folder / 'settings.json'}: {str(error).splitlines()[0]}") from None


def check_is_free(folder: Path, settings_type: type[Settings]) -> None:
    """See that a run may begin in a folder: it is new, or empty, or of a run that never saved a state.

    Raises:
        TrainingError: it holds a run, or anything else, which a run's files could replace.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"--run {folder}: a file is there already; give a folder")
    if (folder / STATE_FILE).exists():
        raise TrainingError(f"{folder}: holds a run already; give --resume or another folder")
    if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
        return
    try:
        settings_type.model_validate_json((folder / "settings.json").read_bytes())
    except (OSError, ValidationError):
        raise TrainingError(f"--run {folder}: holds other files; a run has a folder of its own") from None


def write_settings(folder: Path, settings: Settings) -> None:
    """Make the run's folder and write its settings.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "settings.json", (settings.model_dump_json(indent=2) + "\n").encode())
