"""Checkpoints on disk: whole ones load, every other is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from models.checkpoint import (
    CheckpointConfig,
    CheckpointError,
    check_weights,
    load_weights,
    read_config,
    read_kind,
    read_metrics,
    read_weights,
    save_checkpoint,
)


class Config(CheckpointConfig):
    size: int


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    tensors = {name: tensor.bfloat16() for name, tensor in nn.Linear(3, 2).state_dict().items()}
    config = Config(kind="line", training_data="none", size=3)
    save_checkpoint(tmp_path / "line", config, tensors, {"loss": 1.5}, "# Line\n", {"sheet.jpg": b"\x00"})
    return tmp_path / "line"


def test_what_was_saved_is_read(folder: Path) -> None:
    assert read_kind(folder) == "line"
    assert read_config(folder, Config).size == 3
    assert read_metrics(folder) == {"loss": 1.5}
    assert check_weights(folder) == 8
    assert (folder / "README.md").read_text() == "# Line\n"
    assert (folder / "sheet.jpg").read_bytes() == b"\x00"
    module = nn.Linear(3, 2)
    load_weights(folder, module)
    assert torch.equal(module.weight.bfloat16(), read_weights(folder)["weight"])
    assert module.weight.dtype == torch.float32
    assert [path.name for path in folder.parent.iterdir()] == ["line"]


def test_saving_again_replaces_the_whole_folder(folder: Path) -> None:
    config = Config(kind="line", training_data="none", size=4)
    save_checkpoint(folder, config, {"weight": torch.zeros(1)}, {}, "")
    assert check_weights(folder) == 1
    assert not (folder / "sheet.jpg").exists()


HUGGING_FACE = {"config.json": "{}", "model.safetensors": "weights", "README.md": "theirs"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"notes.txt": "mine"}, r"holds other things than a checkpoint \(notes.txt\)"),
        ({"a.pt": "weights", "b/c.pt": "weights"}, r"\(a.pt and 1 more\)"),
        ({"README.md/inside": "a folder"}, r"\(README.md\)"),
        (HUGGING_FACE, "has no 'kind'"),
        ({"README.md": "of a project"}, "config.json"),
    ],
)
@pytest.mark.parametrize("is_beside", [True, False])
def test_what_is_no_checkpoint_is_never_replaced(
    folder: Path, tmp_path: Path, files: dict[str, str], said: str, is_beside: bool
) -> None:
    """Neither where it lies beside a checkpoint's files, nor alone."""
    out = folder if is_beside and "notes.txt" in files else tmp_path / "own"
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    before = sorted(path.relative_to(out) for path in out.rglob("*"))
    with pytest.raises(CheckpointError, match=said):
        save_checkpoint(out, Config(kind="line", training_data="none", size=4), {}, {}, "")
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == before
    assert all((out / name).read_text() == text for name, text in files.items())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("mine")
    with pytest.raises(CheckpointError, match="a file is there"):
        save_checkpoint(tmp_path / "own", Config(kind="line", training_data="none", size=4), {}, {}, "")
    assert (tmp_path / "own").read_text() == "mine"


def test_the_old_one_stays_until_the_new_one_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(kind="line", training_data="none", size=4)
    for broken in ("safetensors.torch.save_file", "pathlib.Path.write_bytes"):
        with monkeypatch.context() as patched:
            patched.setattr(broken, _fail)
            with pytest.raises(OSError, match="full"):
                save_checkpoint(folder, config, {}, {}, "", {"sheet.jpg": b""})
        assert check_weights(folder) == 8
        assert [path.name for path in folder.parent.iterdir()] == ["line"]

    rename, renamed = Path.rename, list[Path]()

    def fail_second(self: Path, target: Path) -> Path:
        renamed.append(self)
        return _fail() if len(renamed) == 2 else rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(
        OSError, match="full"
    ):  # between taking the old one away and putting the new one there
        save_checkpoint(folder, config, {}, {}, "")
    assert check_weights(folder) == 8
    assert [path.name for path in folder.parent.iterdir()] == ["line"]


def _fail(*_: object, **__: object) -> Path:
    raise OSError(28, "the disk is full")


def test_a_link_to_a_checkpoint_stays_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    config = Config(kind="line", training_data="none", size=4)
    save_checkpoint(tmp_path / "current", config, {"weight": torch.zeros(1)}, {}, "")
    assert (tmp_path / "current").is_symlink()
    assert check_weights(folder) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "line"]


@pytest.mark.parametrize("length", [0, 5, 8, 60, -1])
def test_truncated_weights_are_refused(folder: Path, length: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"truncated|not a safetensors") as caught:
        check_weights(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\x80\x04pickle" * 9, b"\x02" + b"\x00" * 7 + b"[]", b"\x02" + b"\x00" * 7 + b"{}"]
)
def test_foreign_files_are_refused(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not a safetensors|foreign"):
        check_weights(folder)


def test_weights_of_another_config_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"size": 4}))
    with pytest.raises(CheckpointError, match="another config"):
        check_weights(folder)


@pytest.mark.parametrize(
    ("change", "named"), [({"colour": 1}, "colour"), ({"size": "big"}, "size"), ({"kind": None}, "kind")]
)
def test_wrong_keys_are_named(folder: Path, change: dict[str, object], named: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=named):
        read_config(folder, Config)


@pytest.mark.parametrize("content", ["", "[]", '{"size": 3}'])
def test_configs_that_are_none_are_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_kind(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: No such file"):
        read_kind(tmp_path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: no such file"):
        check_weights(tmp_path)
    assert read_metrics(tmp_path) == {}


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.Linear(3, 2, bias=False), "has the tensor 'bias'"),
        (nn.Linear(4, 2), r"'weight' has shape \[2, 3\], the config asks for \[2, 4\]"),
        (nn.PReLU(), "has the tensor 'bias'"),
        (nn.Sequential(nn.Linear(3, 2)), "lacks the tensor '0.bias'"),
    ],
)
def test_weights_of_another_shape_are_refused(folder: Path, module: nn.Module, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        load_weights(folder, module)
