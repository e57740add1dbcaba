"""The report's figure: with the defaults, the ring is learnt as well as samples can tell."""

from __future__ import annotations

import pytest
import torch

from models.lab.config import LabConfig
from models.lab.trainer import Trainer
from models.lab.yardstick import REPORT, Effort, Yardstick
from training.lab.job import MAX_WASSERSTEIN_RATIO


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def train(seed: int, steps: int) -> Trainer:
    trainer = Trainer(LabConfig(seed=seed))
    while trainer.steps < steps:
        trainer.step()
    assert trainer.generator_updates + trainer.discriminator_updates <= 4000
    return trainer


def test_half_of_the_way_is_nearly_there() -> None:
    """One seed, half of the steps, 600 samples."""
    yardstick = Yardstick(LabConfig(), Effort(wasserstein=600, sets=2))
    before = yardstick.measure(Trainer(LabConfig()).shown_generator)
    after = yardstick.measure(train(0, 1000).shown_generator)
    assert before.wasserstein > 5 * yardstick.floor.wasserstein
    assert after.wasserstein <= MAX_WASSERSTEIN_RATIO * yardstick.floor.wasserstein
    assert after.bins_hit >= 34


@pytest.mark.slow
def test_at_least_four_of_five_seeds() -> None:
    yardstick = Yardstick(LabConfig(), REPORT)
    assert REPORT.wasserstein == REPORT.coverage == 2000
    met = 0
    for seed in range(5):
        measures = yardstick.measure(train(seed, 2000).shown_generator)
        ratio = measures.wasserstein / yardstick.floor.wasserstein
        met += ratio <= 2 and measures.bins_hit >= 34
    assert met >= 4
