"""Reading, splitting and cutting text."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from training.run import TrainingError
from training.text.data import Batches, read_text, split_text
from training.text.echo import Echo


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("two", encoding="utf-8")
    (tmp_path / "a.txt").write_text("eins é", encoding="utf-8-sig")
    (tmp_path / "c.md").write_text("never")
    assert read_text(str(tmp_path)) == "eins é\ntwo"
    assert read_text(str(tmp_path / "a.txt")) == "eins é"


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "none").mkdir()
    for name, said in (
        ("latin.txt", r"not UTF-8 \(byte 3 is 0xe9\)"),
        ("empty.txt", "has no text"),
        ("none", "no .txt file"),
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


def make_batches(num_tokens: int = 1003, echo: Echo | None = None) -> Batches:
    tokens = np.arange(num_tokens, dtype=np.int64)
    return Batches(lambda _: tokens, context=10, batch=4, seed=5, echo=echo)


def test_targets_follow_inputs_and_an_epoch_sees_each_token_at_most_once() -> None:
    batches = make_batches()
    seen: list[int] = []
    for inputs, targets in islice(batches, 24):
        assert inputs.shape == targets.shape == (4, 10)
        assert torch.equal(inputs + 1, targets)
        seen += targets.flatten().tolist()
    assert batches.epoch == 0
    assert len(set(seen)) == len(seen) == 960
    next(iter(batches))
    assert batches.epoch == 1


def test_batches_go_on_from_their_place() -> None:
    echo = Echo(steps=45, seed=5)
    whole = [inputs for inputs, _ in islice(make_batches(echo=echo), 60)]
    first = make_batches(echo=echo)
    for _ in islice(first, 37):
        pass
    second = make_batches(echo=echo)
    second.epoch, second.place, second.num_given = first.epoch, first.place, first.num_given
    for inputs, wanted in zip((inputs for inputs, _ in islice(second, 23)), whole[37:], strict=True):
        assert torch.equal(inputs, wanted)
    assert not torch.equal(whole[0], whole[25])


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        next(iter(make_batches(50)))
