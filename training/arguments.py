"""The arguments that training jobs share, and what is made of them."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError

from models.errors import reason_of
from models.freed_memory import keep_freed_memory
from training.errors import TrainingError
from training.run import Settings, read_settings

S = TypeVar("S", bound=Settings)


def positive(text: str) -> int:
    """A whole number from 1 on, as arguments are parsed."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def minutes(text: str) -> float:
    """A number of minutes from 0 on, as arguments are parsed."""
    if not 0 <= (value := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return value


def add_run_arguments(parser: argparse.ArgumentParser, presets: Mapping[str, Settings]) -> None:
    """Add what every job has that trains a checkpoint."""
    first = next(iter(presets))
    parser.add_argument(
        "--preset", choices=sorted(presets), help=f"(default: {first}; or what the run that goes on has)"
    )
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="log, state and checkpoint")
    parser.add_argument(
        "--out", type=Path, metavar="CHECKPOINT", help="where the checkpoint of a run that is done goes"
    )
    parser.add_argument("--force", action="store_true", help="replace even a better checkpoint at --out")
    add_box_arguments(parser)


def add_box_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every resumable job has."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the state in --run")
    parser.add_argument(
        "--max-minutes",
        type=minutes,
        metavar="M",
        help="stop after so long, one step at least: --run then holds the state, to --resume from, and a "
        "checkpoint of what is learnt so far; --out is written only when the run is done or --finish asks",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: PyTorch's own choice)"
    )


def add_finish_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--finish`` to a job whose run may end anywhere."""
    parser.add_argument(
        "--finish", action="store_true", help="take the run in --run for done as it stands, and write --out"
    )


def plan_settings(args: argparse.Namespace, presets: Mapping[str, S]) -> S:
    """What a job is asked to train with: a preset, or what the run that goes on has, and ``--set``.

    Raises:
        TrainingError: there is nothing to go on from, or a change can't be followed.
    """
    first = next(iter(presets.values()))
    if args.preset is None and (args.resume or args.finish):
        return resolve_settings(read_settings(args.run, type(first)), args.set)
    return resolve_settings(first if args.preset is None else presets[args.preset], args.set)


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
        raise TrainingError(f"--set {where}: {reason_of(first)}") from None


def pick_device(name: str, threads: int | None) -> torch.device:
    """Make the process ready for long work, and return the device; TrainingError when it is not there."""
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"--device {name}: {str(error).splitlines()[0]}") from None
    return device
