"""The landscape job: resumes after kill -9 bit for bit, grows to a larger size, exports what is served."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import check_weights, load_weights, read_config, read_weights
from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from tests.training.conftest import SmallSiftFlow
from tests.training.photos.test_photo_set import make_pseudo
from training.__main__ import main
from training.photos.photo_set import is_held_out
from training.photos.split import load_split

TINY = {
    "image_size": 32,
    "widths": [16, 16, 8],
    "spade_max_size": 16,
    "spade_hidden": 8,
    "discriminator_view": 32,
    "discriminator_widths": [8, 16, 16],
    "batch": 4,
    "mix_every": 2,
}


def arguments(data: Path, run: Path, steps: int, *more: str, **changes: object) -> list[str]:
    settings = TINY | {"steps": steps} | changes
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    head = ["landscape", "--preset=cpu-128", f"--data={data}", f"--run={run}", "--threads=1"]
    return [*head, *pairs, *more]


def final_state(run: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run / "state.pt", weights_only=True)["state"]
    found = {}
    for part in ("generator", "critic", "averaged"):
        found |= {f"{part}.{name}": tensor for name, tensor in state[part].items()}
    return found


def wait_for(path: Path, child: subprocess.Popen[bytes]) -> None:
    """Until the file is there; fails when the child ends first or takes too long."""
    deadline = time.monotonic() + 180
    while not path.exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_and_resumed_equals_uninterrupted(
    siftflow: Path, small_siftflow: SmallSiftFlow, tmp_path: Path
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(siftflow, whole, 9, "--save-every=100")) == 0

    code = (
        "import sys; from pathlib import Path; from training.photos import manifest; "
        "manifest.MANIFESTS = Path(sys.argv.pop(1)); "
        "from training.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    started = arguments(siftflow, broken, 9, "--save-every=3")
    command = [sys.executable, "-c", code, str(small_siftflow.manifests), *started]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        try:
            wait_for(broken / "state.pt", child)
        finally:
            child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    killed_at = torch.load(broken / "state.pt", weights_only=True)["step"]
    assert 0 < killed_at < 9

    assert main([*started, "--resume"]) == 0
    expected, found = final_state(whole), final_state(broken)
    assert expected.keys() == found.keys()
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert different == []
    one, other = (read_weights(run / "checkpoint") for run in (whole, broken))
    assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def paint_plainly(folder: Path) -> torch.Tensor:
    """Sky in no style of the bank, which is corrected for each run anew: (1, 3, S, S) in [-1, 1]."""
    generator = Generator(read_config(folder, LandscapeConfig)).eval()
    load_weights(folder, generator)
    size = generator.config.image_size
    noise = [torch.zeros(1, 1, side, side) for side in generator.sizes]
    with torch.inference_mode():
        return generator(torch.zeros(1, size, size, dtype=torch.long), generator.styles[:1] * 0, noise)


def test_a_run_brings_a_checkpoint_that_serves_and_grows(siftflow: Path, tmp_path: Path):
    out = tmp_path / "landscape"
    assert main(arguments(siftflow, tmp_path / "small", 10, f"--out={out}")) == 0
    assert check_weights(out) > 0
    assert {path.name for path in out.iterdir()} >= {"README.md", "metrics.json", "sheet.jpg"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["steps"] == 10
    assert metrics["frechet_random"] > metrics["frechet_random_real"] > 0
    engine = LandscapeEngine.load(out, "cpu")
    sky = np.zeros((32, 32), dtype=np.uint8)
    first, second = engine.forward([LandscapeRequest(sky, 1), LandscapeRequest(sky, 2)])
    assert not np.array_equal(first, second)

    # A rate too small to change anything: what is seen is what growing made of the smaller run.
    changes = {"image_size": 64, "widths": [16, 16, 8, 8], "generator_rate": 1e-9}
    grown = arguments(siftflow, tmp_path / "grown", 1, f"--grow={tmp_path / 'small'}", **changes)
    assert main(grown) == 0
    before, after = (paint_plainly(tmp_path / run / "checkpoint") for run in ("small", "grown"))
    assert after.shape[-1] == 64
    enlarged = before.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (after - enlarged).abs().mean() < 0.03, "the smaller run's picture is no longer there"
    metrics = json.loads((tmp_path / "grown" / "checkpoint" / "metrics.json").read_text())
    assert metrics["pictures_seen"] == 11 * TINY["batch"]
    assert (
        "Grown from a run at 32×32: 10 steps of 4." in (tmp_path / "grown/checkpoint/README.md").read_text()
    )


def test_training_lowers_the_generator_s_losses(siftflow: Path, tmp_path: Path):
    run = tmp_path / "run"
    assert main(arguments(siftflow, run, 60, "--set=generator_rate=0.002")) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    styles = [line["look"] for line in lines if "look" in line]
    assert len(styles) == 6
    assert styles[-1] < 0.93 * styles[0]


def test_photos_labelled_by_a_segmenter_train_too(siftflow: Path, tmp_path: Path):
    photos, labels = make_pseudo(tmp_path, [f"photo{number}" for number in range(30)])
    pseudo = ["--pseudo", str(photos), str(labels)]
    assert main([*arguments(siftflow, tmp_path / "run", 2), *pseudo]) == 0
    config = json.loads((tmp_path / "run" / "checkpoint" / "config.json").read_text())
    own, _ = load_split(siftflow, [], 32)
    both, held_out = load_split(siftflow, [(photos, labels)], 32)
    assert config["num_styles"] == len(both) > len(own) + 20
    assert not any(is_held_out(name) for name in both.names)
    assert not any(name.startswith("photo") for name in held_out.names)
    assert (
        f"photos, labelled by a segmenter (nine in ten by name); {len(both)} photos"
        in config["training_data"]
    )


def test_user_mistakes_are_one_line(siftflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(arguments(tmp_path / "nowhere", tmp_path / "run", 1)) == 1
    assert "no such folder" in capsys.readouterr().err
    assert main([*arguments(siftflow, tmp_path / "run", 1), "--set=wings=2"]) == 1
    assert "wings" in capsys.readouterr().err
    assert main([*arguments(siftflow, tmp_path / "run", 1), "--set=widths=[8,8]"]) == 1
    assert "do not end at 32" in capsys.readouterr().err
    assert main([*arguments(siftflow, tmp_path / "run", 1), f"--grow={tmp_path / 'none'}"]) == 1
    assert "nothing to grow from" in capsys.readouterr().err
