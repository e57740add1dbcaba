"""Kinds of arguments that a request can carry; anything else is refused while the command line is read."""

from __future__ import annotations

import argparse
import math


def text(value: str) -> str:
    """Unicode, and not the stray bytes that a shell may hand over."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("it is not UTF-8") from None
    return value


def number(value: str) -> float:
    """JSON has no infinity and nothing that is not a number."""
    parsed = float(value)
    if not math.isfinite(parsed):
        raise argparse.ArgumentTypeError(f"{value!r} is not finite")
    return parsed


def seconds(value: str) -> float:
    """Not negative."""
    parsed = number(value)
    if parsed < 0:
        raise argparse.ArgumentTypeError(f"{value!r} is below 0")
    return parsed


def count(value: str) -> int:
    """At least 1."""
    parsed = int(value)
    if parsed < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is below 1")
    return parsed


def rate(value: str) -> float:
    """Above 0."""
    parsed = number(value)
    if parsed <= 0:
        raise argparse.ArgumentTypeError(f"{value!r} is not above 0")
    return parsed


def class_seed(value: str) -> tuple[str, int]:
    """A class of the palette and its seed."""
    name, separator, seed = text(value).partition("=")
    if not (separator and seed.isdecimal()):
        raise argparse.ArgumentTypeError(f"{value!r} is no NAME=N such as sky=11")
    return name, int(seed)
