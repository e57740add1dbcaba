"""Which checkpoints there are to serve, read and checked without torch before anything is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.checkpoint import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointConfig,
    CheckpointError,
    check_weights,
    read_config,
    read_kind,
    read_metrics,
)
from models.gpt.chat import ChatTemplate, read_chat_template
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import Tokenizer, read_tokenizer

_NAME = re.compile(r"[\w-]{1,128}", re.ASCII)

Configs = Mapping[str, type[CheckpointConfig]]  # by kind, what a checkpoint's config must say


@dataclass(frozen=True)
class Entry:
    """One checkpoint that can be served; its folder's name is the model's name."""

    name: str
    kind: str
    folder: Path
    parameters: int
    training_data: str
    metrics: dict[str, Any]
    modified: int = 0  # when its weights were written, seconds since 1970
    image_size: int = 0  # images only: the longer side of what it gives, pixels
    has_class_seeds: bool = False
    tokenizer: Tokenizer | None = None  # of text
    chat_template: ChatTemplate | None = None


def read_catalog(folder: Path, configs: Configs) -> list[Entry]:
    """All checkpoints in ``folder``, by name.

    Raises:
        CheckpointError: the folder or one of its checkpoints is missing, truncated, mismatched or foreign.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder of checkpoints")
    found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    entries = [_read_entry(path, configs) for path in found if (path / CONFIG_FILE).exists()]
    if not entries:
        raise CheckpointError(f"{folder}: holds no checkpoint")
    return entries


def find_entry(folder: Path, name: str, configs: Configs) -> Entry:
    """The checkpoint of that name, for whoever asks by HTTP: nothing outside ``folder`` is read.

    Raises:
        ValueError: it can be no name, or leads out of the folder.
        FileNotFoundError: there is none.
        CheckpointError: see `read_catalog`.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a name has letters, digits, - and _")
    path, root = folder / name, folder.resolve()
    if not (path / CONFIG_FILE).exists():
        raise FileNotFoundError(f"there is no checkpoint {name!r}")
    if not all(one.resolve().is_relative_to(root) for one in (path, *path.iterdir())):
        raise ValueError(f"a link in {name!r} leads out of the folder of checkpoints")
    return _read_entry(path, configs)


def reread_entry(entry: Entry, configs: Configs) -> Entry:
    """The same checkpoint as its folder holds it now.

    Raises:
        CheckpointError: see `read_catalog`; also if it now asks for another kind of request.
    """
    new = _read_entry(entry.folder, configs)
    for key in ("kind", "image_size", "has_class_seeds"):
        if getattr(new, key) != getattr(entry, key):
            raise CheckpointError(f"{entry.folder}: {key} has changed; restart to serve it")
    return new


def _read_entry(folder: Path, configs: Configs) -> Entry:
    kind = read_kind(folder)
    if kind not in configs:
        raise CheckpointError(f"{folder / CONFIG_FILE}: unknown kind {kind!r}; known: {', '.join(configs)}")
    config = read_config(folder, configs[kind])
    return Entry(
        name=folder.name,
        kind=kind,
        folder=folder,
        parameters=check_weights(folder),
        training_data=config.training_data,
        metrics=read_metrics(folder),
        modified=int((folder / WEIGHTS_FILE).stat().st_mtime),
        image_size=getattr(config, "image_size", 0),
        has_class_seeds=getattr(config, "has_class_seeds", False),
        tokenizer=read_tokenizer(folder, config.vocabulary) if isinstance(config, GPTConfig) else None,
        chat_template=read_chat_template(folder),
    )
