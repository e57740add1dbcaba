"""What may be loaded at run time: names, links, and how much memory there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.server import ROOT
from models.checkpoint import CONFIG_FILE, WEIGHTS_FILE, CheckpointError
from service import model_changes
from service.catalog import find_entry
from service.errors import ApiError
from service.kinds import KINDS, configs_of
from service.model_changes import BYTES_PER_WEIGHT_BYTE, PROCESS_BYTES

CONFIGS = configs_of(KINDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One checkpoint, `bundled`, and one outside the folder."""
    for place in ("checkpoints/bundled", "outside"):
        shutil.copytree(ROOT / "checkpoints" / "gpt-shakespeare", tmp_path / place)
    return tmp_path / "checkpoints"


def test_one_that_is_there(folder: Path) -> None:
    entry = find_entry(folder, "bundled", CONFIGS)
    assert (entry.name, entry.kind, entry.folder) == ("bundled", "gpt", folder / "bundled")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../outside", "bundled/", "/etc", "a.b", "a b", "é", "a" * 129, "bundled\n", "\0"]
)
def test_what_can_be_no_name(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a name has letters, digits, - and _"):
        find_entry(folder, name, CONFIGS)


def test_one_that_is_not_there(folder: Path) -> None:
    (folder / "empty").mkdir()
    for name in ("nowhere", "empty"):
        with pytest.raises(FileNotFoundError, match=f"there is no checkpoint '{name}'"):
            find_entry(folder, name, CONFIGS)


@pytest.mark.parametrize("linked", ["", CONFIG_FILE, WEIGHTS_FILE, "tokenizer.json"])
def test_links_that_lead_out(folder: Path, linked: str) -> None:
    place = folder / "bundled" / linked if linked else folder / "linked"
    place.unlink(missing_ok=True)
    place.symlink_to(folder.parent / "outside" / linked)
    with pytest.raises(ValueError, match="leads out of the folder of checkpoints"):
        find_entry(folder, "bundled" if linked else "linked", CONFIGS)


def test_links_within_and_a_folder_that_is_one(folder: Path) -> None:
    (folder / "other").symlink_to(folder / "bundled")
    assert find_entry(folder, "other", CONFIGS).name == "other"
    (folder.parent / "link").symlink_to(folder)
    assert find_entry(folder.parent / "link", "bundled", CONFIGS).name == "bundled"


def test_weights_that_are_pickled_or_cut_off(folder: Path) -> None:
    weights = folder / "bundled" / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError):
        find_entry(folder, "bundled", CONFIGS)
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(CheckpointError):
        find_entry(folder, "bundled", CONFIGS)


def test_memory_is_looked_at_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = find_entry(folder, "bundled", CONFIGS)
    needed = PROCESS_BYTES + BYTES_PER_WEIGHT_BYTE * (folder / "bundled" / WEIGHTS_FILE).stat().st_size
    used = 10 * 1024**3
    monkeypatch.setattr(model_changes, "memory", lambda: (used, used + needed))
    model_changes._check_memory(entry)
    monkeypatch.setattr(model_changes, "memory", lambda: (used, used + needed - 1))
    with pytest.raises(ApiError, match=r"loading 'bundled' takes about 534 MiB .* are left") as caught:
        model_changes._check_memory(entry)
    assert caught.value.status == 507
    monkeypatch.setattr(model_changes, "memory", lambda: None)
    model_changes._check_memory(entry)
