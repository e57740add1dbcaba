"""The landscape trainer's steps, beyond what its jobs show."""

import numpy as np
import pytest
import torch

from tests.training.landscape.test_job import TINY
from training.landscape.batches import Batches
from training.landscape.dataset import plain_maps
from training.landscape.settings import PRESETS, LandscapeSettings
from training.landscape.style_bank import make_bank
from training.landscape.trainer import BETAS, Trainer
from training.photos.photo_set import PhotoSet

pytestmark = pytest.mark.usefixtures("small_lite2")


@pytest.mark.parametrize("is_held", [False, True])
def test_rates_rise_hold_and_fall(monkeypatch: pytest.MonkeyPatch, is_held: bool) -> None:
    """Also where a device holds them, as a captured step needs it: setting one must not change the next."""
    if is_held:
        monkeypatch.setattr(
            Trainer, "_adam", lambda _, weights: torch.optim.Adam(weights, torch.zeros(()), BETAS)
        )
    changes = TINY | {"steps": 8, "warm_up": 2, "cooldown": 0.5}
    settings = LandscapeSettings.model_validate(PRESETS["minute"].model_dump() | changes)
    trainer = make_trainer(settings)
    base = {
        "generator": settings.generator_rate,
        "feature_discriminators": settings.feature_rate,
        "label_discriminator": settings.label_rate,
    }
    for step, share in enumerate((1 / 3, 2 / 3, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4)):
        trainer.train_step(step)
        rates = {name: float(group["lr"]) for name, group in trainer._groups()}
        assert rates == pytest.approx({name: rate * share for name, rate in base.items()})


def make_trainer(settings: LandscapeSettings) -> Trainer:
    draw = np.random.default_rng(0)
    photos = np.kron(draw.integers(0, 256, (6, 8, 8, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
    maps = np.kron(draw.integers(0, 6, (6, 4, 4)), np.ones((1, 32, 32))).astype(np.uint8)
    bank = make_bank(photos, plain_maps(maps))
    data = PhotoSet(tuple("abcdef"), photos, maps).shrink(settings.image_size)
    batches = Batches(data, bank, settings, torch.device("cpu"))
    return Trainer(settings, settings.model("noise", 1), bank, batches)
