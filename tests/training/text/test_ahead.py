"""Shards that other processes make: the same ones, and nobody is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest
import torch

from harness.probes import wait_until
from harness.server import ROOT
from training.text.ahead import Ahead
from training.text.feeding import make_batches
from training.text.settings import TextSettings
from training.text.vocabulary import make_bpe


def make_maker(factor: int) -> Callable[[int], tuple[int, int]]:
    def work(number: int) -> tuple[int, int]:
        if number == 5:
            os._exit(3)
        return factor * number, os.getpid()

    return work


def test_results_come_by_number_from_other_processes_and_a_lost_one_is_told() -> None:
    ahead = Ahead(partial(make_maker, 7), 2)
    try:
        for number in (0, 1, 1, 2):  # it begins two more each time
            value, process = ahead(number)
            assert value == 7 * number
            assert process != os.getpid()
        with pytest.raises(BrokenProcessPool):
            ahead(5)
    finally:
        ahead.close()


def test_batches_are_those_of_one_process() -> None:
    text = "".join(f"KING {n}:\nSpeak, my Lord of Ely, speak {n * 7} words.\n\n" for n in range(400))
    settings = TextSettings(max_seq_len=32, batch=8, renaming=0.8, bpe_dropout=0.1, echo_steps=4)
    bpe = make_bpe(text, 300)
    alone, helped = make_batches(text, bpe, settings), make_batches(text, bpe, settings, num_processes=2)
    try:
        while alone.epoch < 4:
            step = 10 * alone.epoch + alone.place
            assert torch.equal(alone.draw(step), helped.draw(step))
    finally:
        helped.close()


def test_they_end_with_the_process_that_began_them() -> None:
    code = (
        "import os, time; from functools import partial; from training.text.ahead import Ahead;"
        "from tests.training.text.test_ahead import make_maker;"
        "print(Ahead(partial(make_maker, 1), 1)(0)[1], flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    process = int(run.stdout.readline())
    run.kill()
    run.wait()
    run.stdout.close()
    wait_until(lambda: not Path(f"/proc/{process}").exists(), seconds=30)
