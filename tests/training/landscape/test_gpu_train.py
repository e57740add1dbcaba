"""The minutes on a lent card, rehearsed on a processor.

Planned, trained, brought home in shards, gone on from.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from tests.training.landscape.test_job import TINY
from training import timed
from training.landscape import gpu_train
from training.landscape.gpu_train import load_shards, save_shards
from training.landscape.settings import PRESETS
from training.landscape.style_bank import LAYOUT_SIDE
from training.photos.pack import write_pack
from training.photos.photo_set import PhotoSet


def test_a_rehearsal_from_pack_to_checkpoint_and_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "WARM_UP_STEPS", 1)
    monkeypatch.setattr(timed, "TIMED_STEPS", 5)
    draw = np.random.default_rng(0)
    photos = np.kron(draw.integers(0, 256, (6, 8, 8, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
    maps = np.kron(draw.integers(0, 6, (6, 4, 4)), np.ones((1, 32, 32))).astype(np.uint8)
    write_pack(PhotoSet(tuple("abcdef"), photos, maps), tmp_path / "photos.pack")
    settings = [f"--set={key}={json.dumps(value)}" for key, value in TINY.items()]

    def call(out: str, *more: str) -> dict[str, float]:
        command = ["gpu_train", f"--pack={tmp_path / 'photos.pack'}", f"--out={tmp_path / out}"]
        options = ["--seconds=16", "--preset=minute", "--device=cpu", *settings]
        monkeypatch.setattr("sys.argv", [*command, *options, *more])
        gpu_train.main()
        facts: dict[str, float] = json.loads((tmp_path / out / "facts.json").read_text())
        return facts

    facts = call("first")
    assert facts["steps"] >= 6
    assert facts["step_flops"] > 0
    assert (tmp_path / "first" / "sheet.jpg").stat().st_size > 0
    assert all(path.stat().st_size < 16 << 20 for path in (tmp_path / "first").iterdir())

    config = PRESETS["minute"].model_copy(update=TINY).model("", 5)
    generator = Generator(config.model_copy(update={"tells_shown": True, "layout_side": LAYOUT_SIDE}))
    generator.load_state_dict(load_shards(tmp_path / "first", "served"))
    sky = np.zeros((32, 32), dtype=np.uint8)
    assert LandscapeEngine(generator, "cpu", {}).forward([LandscapeRequest(sky, 1)])[0].shape == (32, 32, 3)

    for path in (*(tmp_path / "first").glob("averaged-*"), *(tmp_path / "first").glob("label_*")):
        path.unlink()  # what is too large to carry begins anew, the average as the generator is
    call("second", f"--start={tmp_path / 'first'}", "--set=generator_rate=1e-20", "--profile")
    assert "aten::convolution_backward" in (tmp_path / "second" / "profile.txt").read_text()
    one, two = (load_shards(tmp_path / name, "generator") for name in ("first", "second"))
    assert torch.equal(one["head.weight"], two["head.weight"])  # gone on from, not begun anew
    averaged = load_shards(tmp_path / "second", "averaged")
    assert torch.equal(one["head.weight"], averaged["head.weight"])
    served = load_shards(tmp_path / "first", "served")
    (tmp_path / "checkpoint").mkdir()
    save_file(served, tmp_path / "checkpoint" / "model.safetensors")
    call("from_checkpoint", f"--start={tmp_path / 'checkpoint'}", "--set=generator_rate=1e-20")
    for name in ("generator", "averaged"):
        kept = load_shards(tmp_path / "from_checkpoint", name)
        assert torch.equal(kept["head.weight"], served["head.weight"])
    with pytest.raises(SystemExit, match=r"neither generator-0\.safetensors nor"):
        call("third", f"--start={tmp_path}")


def test_shards_are_small_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.landscape.gpu_train.SHARD_BYTES", 1000)
    module = torch.nn.Sequential(*(torch.nn.Linear(16, 16) for _ in range(4)))
    save_shards(module, tmp_path, "part")
    assert len(list(tmp_path.glob("part-*.safetensors"))) == 4
    kept = load_shards(tmp_path, "part")
    assert kept.keys() == module.state_dict().keys()
    assert torch.equal(kept["3.bias"], module.state_dict()["3.bias"])
