"""Windows are painted as pictures are, and a generator learns on them alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoint import load_weights, read_metrics, save_checkpoint
from models.landscape.generator import Conditions, Generator
from models.landscape.palette import CLASS_NAMES
from training.landscape import windows
from training.landscape.batches import Batches, mirror_all
from training.landscape.gpu_train import save_shards
from training.landscape.settings import PRESETS
from training.landscape.style_bank import make_bank
from training.landscape.window_trainer import WindowPainter, WindowSettings, WindowTrainer, num_cells
from training.landscape.windows import main
from training.photos.pack import write_pack
from training.photos.photo_set import PhotoSet
from training.storage import round_weights

SIDE = 128
MODEL = PRESETS["minute"].model_copy(update={"image_size": SIDE, "widths": (24, 24, 16, 8, 8)})
SETTINGS = WindowSettings(
    image_size=SIDE, batch=4, steps=6, alone=2, warm_up=0, networks=("lite0",), discriminator_widths=(8, 8, 8)
)


@pytest.fixture
def photos() -> PhotoSet:
    """Four of noise, with maps of blocks."""
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    maps = np.repeat(np.repeat(draws.integers(0, 9, (4, 8, 8), np.uint8), 16, 1), 16, 2)
    return PhotoSet(tuple(f"{number}.jpg" for number in range(4)), pixels, maps)


@pytest.fixture
def generator(photos: PhotoSet) -> Generator:
    """An untrained one, with the photos' styles."""
    torch.manual_seed(0)
    made = Generator(MODEL.model("noise", 4)).eval()
    made.styles.copy_(make_bank(photos.photos, photos.maps).styles)
    return made


@pytest.fixture
def trainer(photos: PhotoSet, generator: Generator) -> WindowTrainer:
    batches = Batches(photos, make_bank(photos.photos, photos.maps), SETTINGS, torch.device("cpu"))
    return WindowTrainer(SETTINGS, generator, batches)


@torch.no_grad()
def test_a_window_is_what_the_whole_picture_has_there(photos: PhotoSet, generator: Generator) -> None:
    last = SIDE // 8 - num_cells(SIDE)
    cells = [(0, 0), (last, 0), (2, last), (3, 1)]
    labels, styles = torch.from_numpy(photos.maps).long(), make_bank(photos.photos, photos.maps).styles
    draws = torch.Generator().manual_seed(0)
    noise = [torch.randn((4, *shape), generator=draws) for shape in generator.config.noise_shapes(SIDE, SIDE)]
    tints = mirror_all(labels, styles)
    whole = generator(labels, styles, noise, tints)
    painter, conditions = WindowPainter(SIDE, cells), Conditions(labels, styles, tints)
    x = painter.begin(generator, conditions, noise)
    windows = painter.finish(generator, x, conditions, noise)
    assert painter.corners[0] == (0, 0)
    assert painter.corners[1] == (SIDE // 2, 0)
    for picture, window, (row, column) in zip(whole, windows, painter.corners, strict=True):
        there = picture[:, row : row + painter.side, column : column + painter.side]
        apart = (window - there).abs()
        assert apart.mean() < 0.01 * there.std()
        assert (
            apart[:, 12:-12, 12:-12].max() < 0.01 * there.std()
        )  # what margins leave is near a window's edge
    edge = whole[0, :, :8, :8] - windows[0, :, :8, :8]
    assert edge.abs().max() < 1e-5  # of the picture, too


def test_large_sizes_learn_and_small_ones_stay(trainer: WindowTrainer) -> None:
    before = {name: tensor.clone() for name, tensor in trainer.generator.state_dict().items()}
    judges = (trainer.feature_discriminators, trainer.label_discriminator)
    first = [{name: weight.clone() for name, weight in one.named_parameters()} for one in judges]

    def changed() -> set[str]:
        now = trainer.generator.state_dict()
        return {name for name, tensor in before.items() if not torch.equal(tensor, now[name])}

    for step in range(SETTINGS.alone):
        losses = trainer.train_step(step)
        assert not losses.keys() & {"near", "features", "label", "hold"}
    assert not changed()
    for one, weights in zip(judges, first, strict=True):
        learnt = {name for name, weight in one.named_parameters() if not torch.equal(weight, weights[name])}
        matrices = {name for name, weight in weights.items() if weight.dim() > 1 and "whole" not in name}
        fixed = {name for name in weights if ".across." in name or ".down." in name}
        assert matrices - fixed <= learnt
        assert not learnt & fixed
    losses = trainer.train_step(SETTINGS.alone)
    assert losses["hold"] == 0  # nothing is learnt yet that could be held
    assert trainer.train_step(SETTINGS.alone + 1)["hold"] > 0
    learnt = {".".join(name.split(".")[:2]) for name in changed()}
    assert {"blocks.1", "blocks.2", "blocks.3", "blocks.4", "head.weight"} <= learnt  # from 16² of 128² on
    assert not learnt & {"blocks.0", "stem.weight"}
    assert not any("running" in name for name in changed())
    assert all(weight.requires_grad for weight in trainer.label_discriminator.parameters())


def test_rates_rise_hold_and_fall(trainer: WindowTrainer) -> None:
    trainer.settings = SETTINGS.model_copy(update={"steps": 20, "alone": 4, "warm_up": 3, "cooldown": 0.5})
    seen = []
    for step in (0, 3, 4, 5, 7, 10, 15, 19):
        trainer._set_rates(step)
        seen.append([optimiser.param_groups[0]["lr"] for optimiser in trainer._optimisers.values()])
    generator, heads, labels = (np.array(one) for one in zip(*seen, strict=True))
    assert generator / SETTINGS.generator_rate == pytest.approx([0, 0, 1 / 4, 2 / 4, 1, 1, 1 / 2, 1 / 10])
    assert heads / SETTINGS.feature_rate == pytest.approx([1 / 2.5, 1, 1, 1, 1, 1, 1 / 2, 1 / 10])
    assert labels == pytest.approx(heads * SETTINGS.label_rate / SETTINGS.feature_rate)


def test_the_finest_noise_of_sky_and_clouds_alone_is_made_louder(generator: Generator) -> None:
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    windows.roughen_air(generator, 4.0)
    for name, tensor in generator.state_dict().items():
        times = torch.ones_like(tensor)
        if name == "blocks.4.second.rows.weight":
            times[2 * len(tensor) // 3 :, [CLASS_NAMES.index("sky"), CLASS_NAMES.index("cloud")]] = 4
        torch.testing.assert_close(tensor, before[name] * times, rtol=0, atol=0)


def arguments_in(folder: Path, run: str = "run") -> list[str]:
    """The checkpoint, the pack and the run of a test's own folder."""
    return [str(folder / "old"), "--pack", str(folder / "photos.pack"), "--run", str(folder / run)]


def settings_of(settings: WindowSettings) -> list[str]:
    names = ("batch", "steps", "alone", "warm_up", "networks", "discriminator_widths")
    values = settings.model_dump(mode="json")
    return [word for name in names for word in ("--set", f"{name}={values[name]}".replace("'", '"'))]


def test_a_run_in_boxes_ends_as_one_that_was_not_stopped(
    photos: PhotoSet, generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it wrote checkpoints on the way, and then went on from an earlier state."""
    monkeypatch.setattr(windows, "SAVE_EVERY", 2)
    write_pack(photos, tmp_path / "photos.pack")
    figures = {"steps": 9, "pictures_seen": 36, "frechet_lite2": 1.5}
    readme = "# A model\n\n## Figures\n\n1.5\n\n## Terms\n\nNone.\n"
    save_checkpoint(tmp_path / "old", generator.config, round_weights(generator), figures, readme)

    def go_on(run: str, *more: str) -> None:
        with pytest.raises(SystemExit) as ended:
            main([*arguments_in(tmp_path, run), *more])
        assert ended.value.code == 0

    go_on("whole", *settings_of(SETTINGS), "--out", str(tmp_path / "new"))
    go_on("boxes", *settings_of(SETTINGS), "--max-minutes", "0")
    for _ in range(3):  # the generator learns from step 2 on
        go_on("boxes", "--resume", "--max-minutes", "0")
    go_on("boxes", "--resume")
    whole, boxes = (
        torch.load(tmp_path / run / "state.pt", weights_only=True)["state"] for run in ("whole", "boxes")
    )
    for part in ("generator", "averaged", "feature_discriminators", "label_discriminator"):
        for name, tensor in whole[part].items():
            torch.testing.assert_close(boxes[part][name], tensor, rtol=0, atol=0)
    assert read_metrics(tmp_path / "new") == {"steps": 9, "pictures_seen": 36, "window_steps": 4}
    told = (tmp_path / "new" / "README.md").read_text()
    assert "4 steps more" in told
    assert "1.5" not in told
    assert "## Terms" in told
    new = Generator(generator.config)
    load_weights(tmp_path / "new", new)
    assert not torch.equal(new.head.weight, generator.head.weight)


def test_discriminators_of_a_card_are_taken(trainer: WindowTrainer, tmp_path: Path, photos: PhotoSet) -> None:
    write_pack(photos, tmp_path / "photos.pack")
    generator = trainer.generator
    save_checkpoint(tmp_path / "old", generator.config, round_weights(generator), {}, "")
    arguments = [*arguments_in(tmp_path), *settings_of(SETTINGS)]
    start = ["--start", str(tmp_path / "card"), "--max-minutes", "0"]
    with pytest.raises(SystemExit, match=r"feature_discriminators-0\.safetensors … are missing"):
        main([*arguments, *start])
    (tmp_path / "card").mkdir()
    judges = {name: trainer.networks()[name] for name in ("feature_discriminators", "label_discriminator")}
    for one in judges.values():
        for weight in one.parameters():
            torch.nn.init.constant_(weight, 0.25)
    for name, one in judges.items():
        save_shards(one, tmp_path / "card", name)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *start])
    assert ended.value.code == 0
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["state"]
    for name, one in judges.items():
        for key, _ in one.named_parameters():
            assert (state[name][key] - 0.25).abs().max() < 0.01, key  # a step from there


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"set": "image_size=64"}, "image_size"),
        ({"set": "alone=6"}, r"alone \(6\) is no less than steps"),
        ({"set": "networks=[]"}, "networks"),
        ({"pack": 64}, "128² and more are needed"),
        ({"model": {"attention_sizes": (32,)}}, "from 16² on"),
        ({"model": {"first_size": 32, "widths": (8, 8, 8)}}, "from 16² on"),
        ({"model": {"style_size": 9}}, "older"),
        ({"out": "run"}, "a folder of its own"),
    ],
)
def test_what_can_not_be_trained_is_refused(
    photos: PhotoSet, changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    config = MODEL.model("noise", 4).model_copy(update=changes.get("model", {}))
    save_checkpoint(tmp_path / "old", config, round_weights(Generator(config)), {}, "")
    write_pack(photos.shrink(changes.get("pack", SIDE)), tmp_path / "photos.pack")
    more = ["--set", changes["set"]] if "set" in changes else []
    more += ["--out", str(tmp_path / changes["out"])] if "out" in changes else []
    arguments = arguments_in(tmp_path)
    with pytest.raises(SystemExit, match=reason):
        main([*arguments, *settings_of(SETTINGS), *more])
    assert not (tmp_path / "run" / "state.pt").exists()


def test_a_run_goes_on_with_the_checkpoint_that_it_began_with(
    photos: PhotoSet, generator: Generator, tmp_path: Path
) -> None:
    write_pack(photos, tmp_path / "photos.pack")
    arguments = arguments_in(tmp_path)
    save_checkpoint(tmp_path / "old", generator.config, round_weights(generator), {}, "")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *settings_of(SETTINGS), "--max-minutes", "0"])
    assert ended.value.code == 0
    torch.nn.init.zeros_(generator.head.weight)
    save_checkpoint(tmp_path / "old", generator.config, round_weights(generator), {}, "")
    with pytest.raises(SystemExit, match="was trained on"):
        main([*arguments, "--resume"])
