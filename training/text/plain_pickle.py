"""Reads a pickle of plain values without running it: what would import or call anything is refused.

nanoGPT keeps its vocabularies in such files (`meta.pkl`). A pickle is a program for a small stack machine; of
its instructions only those that build dicts, strings and numbers are known here.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any

MAX_BYTES = 16 * 1024 * 1024
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG"} | {
    "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE",
}  # fmt: skip
STORES = {"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"}
FETCHES = {"BINGET", "LONG_BINGET", "GET"}
NOTHING = {"PROTO", "FRAME"}


class _Mark:
    """Where a run of keys and values begins on the stack."""


def read_plain_pickle(path: Path) -> Any:
    """The dicts, strings and whole numbers of a pickle.

    Raises:
        ValueError: it is too large, no pickle, or has anything else in it.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name}: more than {MAX_BYTES} bytes")
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(path.read_bytes()):
            if opcode.name == "STOP":
                (value,) = stack
                return value
            _run(opcode.name, argument, stack, memo)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: no pickle of plain values ({error})") from None
    raise ValueError(f"{path.name}: a pickle without an end")


def _run(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in VALUES:
        stack.append(argument)
    elif name in ("EMPTY_DICT", "MARK"):
        stack.append({} if name == "EMPTY_DICT" else _Mark())
    elif name in STORES:
        memo[len(memo) if argument is None else argument] = stack[-1]
    elif name in FETCHES:
        stack.append(memo[argument])
    elif name == "SETITEM":
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value
    elif name in ("SETITEMS", "DICT"):
        first = max(i for i, one in enumerate(stack) if isinstance(one, _Mark))
        items = stack[first + 1 :]
        del stack[first:]
        if name == "DICT":
            stack.append({})
        stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name not in NOTHING:
        raise ValueError(f"the pickle has {name}, and only dicts, strings and numbers are read")
