"""What is published of a run: checkpoint, curve over all that it grew from, evaluation."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.landscape.release import main, read_pictures


def make_run(folder: Path, batch: int, lines: list[dict[str, Any]]) -> Path:
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "README.md").write_text("# A model\n\n## Terms\n\nFree.\n")
    (folder / "checkpoint" / "model.safetensors").write_bytes(folder.name.encode())
    (folder / "settings.json").write_text(json.dumps({"batch": batch}))
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def losses(step: int) -> dict[str, Any]:
    return {"step": step, "label": 2.0, "critic_real": 1.0, "critic_painted": 0.5}


def measured(step: int, *grown: dict[str, int]) -> dict[str, Any]:
    return {"step": step, "frechet_lite2": 3.0, "grown_from": list(grown)}


def test_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = make_run(tmp_path / "small", 8, [losses(10), measured(20)])
    grown = {"steps": 20, "batch": 8}
    large = make_run(
        tmp_path / "large", 4, [losses(10), losses(20), measured(20, grown), measured(40, grown)]
    )
    assert [line["pictures"] for line in read_pictures(small)] == [80, 160]
    assert [line["pictures"] for line in read_pictures(large)] == [200, 240, 240, 320]
    evaluation, out = tmp_path / "evaluation", tmp_path / "out"
    evaluation.mkdir()
    (evaluation / "report.md").write_text("# Evaluation")
    (evaluation / "sheet.jpg").write_bytes(b"sheet")
    arguments = ["release", str(small), str(large), f"--evaluation={evaluation}", f"--out={out}"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert (out / "model.safetensors").read_bytes() == b"large"
    assert Image.open(io.BytesIO((out / "curve.png").read_bytes())).size == (720, 272)
    readme = (out / "README.md").read_text()
    for name in ("evaluation.md", "evaluation-sheet.jpg", "curve.png"):
        assert (out / name).exists()
        assert name in readme
    assert readme.index("## Evaluation") < readme.index("## Terms")
