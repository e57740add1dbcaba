"""Where jobs may write: what is the user's own stays as it is, and is said so before a run begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import TrainingError
from training.places import check_report_folder

JOBS: dict[str, Sequence[str]] = {
    "text": ["--data=DATA/words.txt", "--preset=tiny", "--set=steps=1"],
    "landscape": ["--data=DATA/photos"],
    "pix2pix": ["--data=DATA/photos"],
    "segmenter": ["--data=DATA/photos"],
    "eval-segmenter": ["--data=DATA/photos"],
}


def call(job: str, tmp_path: Path, *more: str) -> int:
    (tmp_path / "words.txt").write_text("to be or not to be, " * 4000)
    return main([job, *(word.replace("DATA", str(tmp_path)) for word in JOBS[job]), *more])


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("job", JOBS)
def test_no_job_begins_that_would_replace_what_is_no_checkpoint(
    job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    for name in ("notes.txt", "gpt/config.json", "gpt/model.safetensors", "run/settings.json"):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text(json.dumps({"mine": name}))
    (mine / "run" / "checkpoint").mkdir()
    (mine / "run" / "checkpoint" / "notes.txt").write_text("mine")
    before = tree(mine)
    run = f"--run={tmp_path / 'run'}"
    for said, *places in (
        ("holds other things than a checkpoint (gpt and 2 more)", run, f"--out={mine}"),
        ("has no 'kind'", run, f"--out={mine / 'gpt'}"),
        ("a file is there", run, f"--out={mine / 'notes.txt'}"),
        ("lies there", run, f"--out={tmp_path}"),
        ("lies there", run, f"--out={tmp_path / 'run'}"),
        ("holds other things than a checkpoint (notes.txt)", f"--run={mine / 'run'}"),
        ("holds other files", f"--run={mine}"),
        ("holds other files", f"--run={mine / 'gpt'}"),
        ("a file is there", f"--run={mine / 'notes.txt'}"),
    ):
        assert call(job, tmp_path, *places) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert tree(mine) == before
    assert not (tmp_path / "run").exists()


def test_notes_in_a_checkpoint_that_is_there_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert call("text", tmp_path, f"--run={tmp_path / 'first'}", f"--out={out}") == 0
    (out / "notes.txt").write_text("mine")
    before = tree(out)
    assert call("text", tmp_path, f"--run={tmp_path / 'second'}", f"--out={out}", "--force") == 1
    assert "notes.txt" in capsys.readouterr().err
    assert tree(out) == before
    (out / "notes.txt").unlink()
    assert call("text", tmp_path, f"--run={tmp_path / 'second'}", f"--out={out}", "--force") == 0
    assert tree(out) != before


def test_a_report_has_a_folder_of_its_own(tmp_path: Path) -> None:
    check_report_folder(tmp_path, "report.json")
    check_report_folder(tmp_path / "new", "report.json")
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(TrainingError, match=r"a file is there|other files"):
            check_report_folder(folder, "report.json")
    (tmp_path / "report.json").write_text("{}")
    check_report_folder(tmp_path, "report.json")
