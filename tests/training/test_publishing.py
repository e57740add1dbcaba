"""What may replace a checkpoint, and that it is replaced whole."""

from __future__ import annotations

from pathlib import Path

import torch

from models.checkpoint import CheckpointConfig, check_weights, read_metrics, save_checkpoint
from training.publishing import publish, publish_better


def make_checkpoint(folder: Path, score: float) -> Path:
    config = CheckpointConfig(kind="none", training_data="none")
    save_checkpoint(folder, config, {"x": torch.zeros(1)}, {"loss": score}, "")
    return folder


def test_a_better_checkpoint_stays_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert publish_better(make_checkpoint(tmp_path / "first", 1.5), out, "loss", force=False).endswith(
        "1.5000"
    )
    worse = make_checkpoint(tmp_path / "worse", 1.6)
    assert "stays" in publish_better(worse, out, "loss", force=False)
    assert read_metrics(out) == {"loss": 1.5}
    publish_better(make_checkpoint(tmp_path / "better", 1.4), out, "loss", force=False)
    assert read_metrics(out) == {"loss": 1.4}
    publish_better(worse, out, "loss", force=True)
    assert read_metrics(out) == {"loss": 1.6}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["better", "first", "out", "worse"]


def test_another_metric_does_not_compare(tmp_path: Path) -> None:
    out, other = make_checkpoint(tmp_path / "out", 1.5), make_checkpoint(tmp_path / "other", 9.0)
    (out / "metrics.json").write_text('{"mean_iou_error": 0.5}')
    publish_better(other, out, "loss", force=False)
    assert read_metrics(out) == {"loss": 9.0}


def test_what_was_not_measured_replaces_nothing_that_was(tmp_path: Path) -> None:
    out, unmeasured = make_checkpoint(tmp_path / "out", 1.5), make_checkpoint(tmp_path / "run", 1.0)
    (unmeasured / "metrics.json").write_text('{"steps": 3}')
    assert "no worse than ours, not measured" in publish_better(unmeasured, out, "loss", force=False)
    assert read_metrics(out) == {"loss": 1.5}
    publish_better(unmeasured, out, "loss", force=True)
    assert publish_better(unmeasured, out, "loss", force=False) == f"{out}: loss not measured"
    assert read_metrics(out) == {"steps": 3}


def test_published_with_papers_and_nothing_else(tmp_path: Path) -> None:
    checkpoint, out = make_checkpoint(tmp_path / "run", 1.5), make_checkpoint(tmp_path / "out", 1.6)
    (out / "evaluation.md").write_bytes(b"old")
    publish(checkpoint, out, {"README.md": b"# New", "curve.png": b"curve"})
    assert check_weights(out) == 1
    assert {path.name for path in out.iterdir()} == {path.name for path in checkpoint.iterdir()} | {
        "curve.png"
    }
    assert (out / "README.md").read_text() == "# New"
    assert (checkpoint / "README.md").read_text() == ""


def test_the_chat_template_that_is_served_stays(tmp_path: Path) -> None:
    checkpoint, out = make_checkpoint(tmp_path / "run", 1.5), make_checkpoint(tmp_path / "out", 1.6)
    (out / "chat_template.json").write_text("{}")
    publish(checkpoint, out)
    assert (out / "chat_template.json").read_text() == "{}"
