"""Reading, splitting and cutting text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.errors import TrainingError
from training.text.corpus import split_text
from training.text.data import Batches
from training.text.echo import Echo
from training.text.reading import read_text
from training.text.settings import TextSettings


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("two", encoding="utf-8")
    (tmp_path / "a.txt").write_text("eins é", encoding="utf-8-sig")
    assert read_text(str(tmp_path)) == "eins é\ntwo"
    assert read_text(str(tmp_path / "a.txt")) == "eins é"
    (tmp_path / "c.txt").write_bytes(b"dos\r\nmac\runix\n")
    assert read_text(str(tmp_path / "c.txt")) == "dos\nmac\nunix\n"


def test_folders_are_read_deep_down_and_what_is_skipped_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"B.TXT": b"two", "a.md": b"one", "deep/er/c.Txt": b"three", ".git/d.txt": b"never"}
    wrong = {"photo.jpg": b"\xff", "latin.txt": b"caf\xe9"} | {f"page{i}.html": b"" for i in range(10)}
    for name, content in (files | wrong).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_text(str(tmp_path)) == "two\none\nthree"
    said = capsys.readouterr().err
    assert "read 3 files, skipped 12: latin.txt: not UTF-8 (byte 3 is 0xe9), page0.html" in said
    assert "and 2 more" in said
    assert "photo.jpg" not in said
    assert ".git" not in said


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "none").mkdir()
    for name, said in (
        ("latin.txt", r"not UTF-8 \(byte 3 is 0xe9\)"),
        ("empty.txt", "has no text"),
        ("none", r"no text \(\.txt or \.md"),
        ("absent.txt", "No such file"),
    ):
        with pytest.raises(TrainingError, match=said):
            read_text(str(tmp_path / name))


def test_the_dev_split_keeps_away_from_the_validation_text() -> None:
    text = "".join(chr(0x4E00 + i) for i in range(1000))
    training, validation = split_text(text, "release")
    dev_training, dev = split_text(text, "dev")
    assert (training + validation, len(validation)) == (text, 100)
    assert (dev_training + dev, len(dev)) == (training, 45)


SETTINGS = TextSettings(max_seq_len=10, batch=4, seed=5, steps=100)


def make_batches(
    num_tokens: int = 1003, echo: Echo | None = None, settings: TextSettings = SETTINGS
) -> Batches:
    return Batches(lambda _: np.arange(num_tokens), settings, echo)


def test_targets_follow_inputs_and_an_epoch_sees_each_token_at_most_once() -> None:
    batches = make_batches()
    seen: list[int] = []
    for step in range(24):
        windows = batches.draw(step)
        assert windows.shape == (4, 11)
        assert torch.equal(windows[:, :-1] + 1, windows[:, 1:])
        seen += windows[:, 1:].flatten().tolist()
    assert batches.epoch == 0
    assert len(set(seen)) == len(seen) == 960
    batches.draw(24)
    assert batches.epoch == 1


def test_batches_go_on_from_their_place() -> None:
    echo = Echo(steps=45, seed=5)
    first, second = make_batches(echo=echo), make_batches(echo=echo)
    whole = [first.draw(step) for step in range(37)]
    second.shard, second.place = first.shard, first.place
    for step in range(37, 60):
        assert torch.equal(second.draw(step), first.draw(step))
    assert not torch.equal(whole[0], whole[25])


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        make_batches(50).draw(0)


def test_early_windows_are_shorter_and_as_many_tokens_a_batch() -> None:
    settings = TextSettings(max_seq_len=40, early_context=10, batch=2, steps=20, decay_fraction=0.25)
    batches = make_batches(3003, settings=settings)
    assert [tuple(batches.draw(step).shape) for step in range(20)] == [(8, 11)] * 15 + [(2, 41)] * 5
    assert batches.place == 20
    for wrong in ({"early_context": 12}, {"early_context": 10, "schedule": "cosine"}):
        with pytest.raises(ValueError, match="early_context"):
            TextSettings.model_validate({"max_seq_len": 40, **wrong})
