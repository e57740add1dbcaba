"""Checkpoints on disk: weights (safetensors) beside a typed config; checked on load, written atomically.

A checkpoint is a folder ``<name>/`` holding ``config.json``, ``model.safetensors``, ``metrics.json`` and
``README.md`` (text models add ``tokenizer.json``). The weights carry the SHA-256 of the config they were
written with, so that a pair from two different saves is refused. Nothing here unpickles, and this module
imports torch only when weights are moved, so that the HTTP process can read configs without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, ValidationError

from models.earlier_names import EarlierNames
from models.errors import reason_of

if TYPE_CHECKING:
    import torch
    from torch import nn

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
METRICS_FILE = "metrics.json"
README_FILE = "README.md"
# All that a checkpoint's folder may hold: one with anything else in it is somebody's, and is never replaced.
FILES = frozenset(
    {CONFIG_FILE, WEIGHTS_FILE, METRICS_FILE, README_FILE, "tokenizer.json", "curve.png", "sheet.jpg"}
    | {"evaluation.md", "evaluation-sheet.jpg", "chat_template.json"}
)


class CheckpointError(ValueError):
    """A checkpoint that is missing, truncated, mismatched or foreign. Its text is one line, fit to print."""


class CheckpointConfig(EarlierNames):
    """What every checkpoint's ``config.json`` says. Each kind of model derives its own from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    training_data: str  # one line: which data, which part of it


C = TypeVar("C", bound=CheckpointConfig)


def read_kind(folder: Path) -> str:
    """Return the ``kind`` in a checkpoint's config without reading the rest of it."""
    kind = _read_json(folder / CONFIG_FILE).get("kind")
    if not isinstance(kind, str):
        raise CheckpointError(f"{folder / CONFIG_FILE}: has no 'kind'")
    return kind


def read_config(folder: Path, config_type: type[C]) -> C:
    """Read and validate ``config.json``.

    Raises:
        CheckpointError: the file is missing, is not JSON, or has unknown, missing or wrong keys.
    """
    path = folder / CONFIG_FILE
    data = _read_json(path)
    try:
        return config_type.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        raise CheckpointError(f"{path}: {where}: {reason_of(first)}") from None


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read ``metrics.json``; an absent file is an empty dict."""
    path = folder / METRICS_FILE
    return _read_json(path) if path.exists() else {}


def check_weights(folder: Path) -> int:
    """Check ``model.safetensors`` against its own header and its config, without torch or reading the data.

    Returns:
        The number of parameters, other stored figures (statistics, looks) included.

    Raises:
        CheckpointError: the file is missing, truncated, not safetensors, or was written with another config.
    """
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > size - 8:
            raise CheckpointError(f"{path}: truncated or not a safetensors file")
        try:
            header: dict[str, Any] = dict(json.loads(file.read(length)))
        except (ValueError, TypeError):
            raise CheckpointError(f"{path}: not a safetensors file") from None
    try:
        metadata = dict(header.pop("__metadata__", {}))
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        parameters = sum(_product(entry["shape"]) for entry in header.values())
    except (KeyError, TypeError, IndexError, ValueError):
        raise CheckpointError(f"{path}: not a safetensors file") from None
    if 8 + length + end != size:
        raise CheckpointError(f"{path}: truncated: {size} bytes where its header says {8 + length + end}")
    expected = metadata.get("config_sha256")
    if expected is None:
        raise CheckpointError(f"{path}: foreign weights (no config_sha256); use `python -m training import`")
    if expected != _sha256(folder / CONFIG_FILE):
        raise CheckpointError(f"{path}: was written with another {CONFIG_FILE} than the one beside it")
    return parameters


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read every tensor of a checkpoint (name → tensor on the CPU, in the dtype it was saved in)."""
    from safetensors.torch import load_file

    check_weights(folder)
    return load_file(folder / WEIGHTS_FILE)


def load_weights(folder: Path, module: nn.Module) -> None:
    """Load a checkpoint's weights into ``module`` (dtypes are cast to the module's).

    Raises:
        CheckpointError: a tensor is missing, unknown, or of another shape.
    """
    tensors = read_weights(folder)
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        if name not in tensors:
            raise CheckpointError(
                f"{folder / WEIGHTS_FILE}: lacks the tensor {name!r} that the config asks for"
            )
        if name not in wanted:
            raise CheckpointError(
                f"{folder / WEIGHTS_FILE}: has the tensor {name!r} that the config does not know"
            )
        if tensors[name].shape != wanted[name].shape:
            found, asked = list(tensors[name].shape), list(wanted[name].shape)
            raise CheckpointError(
                f"{folder / WEIGHTS_FILE}: {name!r} has shape {found}, the config asks for {asked}"
            )
    module.load_state_dict(tensors)


def save_checkpoint(
    folder: Path,
    config: CheckpointConfig,
    tensors: Mapping[str, torch.Tensor],
    metrics: Mapping[str, Any],
    readme: str,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a whole checkpoint folder beside ``folder``, then swap it in; a crash never leaves half a one.

    Args:
        files: further files by name, such as ``{"tokenizer.json": ...}``; of FILES.

    Raises:
        CheckpointError: ``folder`` holds anything but a checkpoint, or the weights can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(folder) as fresh:
        (fresh / CONFIG_FILE).write_text(json.dumps(config.model_dump(mode="json"), indent=2) + "\n")
        metadata = {"format": "pt", "kind": config.kind, "config_sha256": _sha256(fresh / CONFIG_FILE)}
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(contiguous, fresh / WEIGHTS_FILE, metadata=metadata)
        except SafetensorError as error:  # a full disk, say
            raise CheckpointError(f"{folder / WEIGHTS_FILE}: can't be written ({error})") from None
        (fresh / METRICS_FILE).write_text(json.dumps(dict(metrics), indent=2) + "\n")
        (fresh / README_FILE).write_text(readme)
        for name, content in (files or {}).items():
            (fresh / name).write_bytes(content)


def check_replaceable(folder: Path) -> None:
    """See that a checkpoint may be written to ``folder``: there is nothing, or only another checkpoint.

    Raises:
        CheckpointError: there is a file, or a folder that holds anything else. Nothing was touched.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: a file is there already")
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in FILES or path.is_dir())
    if strangers:
        more = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
        raise CheckpointError(f"{folder}: holds other things than a checkpoint ({strangers[0]}{more})")
    if any(folder.iterdir()):
        read_kind(folder)  # others call their files so, too


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to fill; it takes its place when the block ends, and only then.

    Raises:
        CheckpointError: see `check_replaceable`.
    """
    check_replaceable(folder)
    folder = folder.resolve()  # where a link points to, that is replaced, not the link
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        for path in fresh.iterdir():
            path.chmod(0o644)
            with path.open("rb") as file:
                os.fsync(file.fileno())
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, folder: Path) -> None:
    """Put ``fresh`` in the place of ``folder``, then remove what was a checkpoint there, file by file."""
    old = fresh.with_name(fresh.name + ".old")
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
    if old.exists():
        for name in FILES:
            (old / name).unlink(missing_ok=True)
        with suppress(OSError):  # what somebody put there meanwhile stays
            old.rmdir()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON ({error})") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return data


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
