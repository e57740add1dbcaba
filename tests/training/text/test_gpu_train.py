"""The minutes on a lent card, rehearsed on a processor: planned, trained, kept on the way, served."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo

from harness.server import ROOT
from models.gpt.engine import TextEngine
from models.gpt.request import TextRequest
from tests.models.gpt.small import complete, text_of
from training import timed
from training.text import gpu_train
from training.text.corpus import read_corpus
from training.text.feeding import make_batches
from training.text.networks import make_network
from training.text.settings import PRESETS
from training.text.tokenizing import make_tokenizer
from training.text.trainer import Trainer


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "input.txt"
    file.write_text("".join(f"KING {n}:\nSpeak, my lord, speak {n * 7}.\n\n" for n in range(1500)))
    return file


def command(text: Path, out: Path, seconds: float) -> list[str]:
    return [f"--data={text}", f"--out={out}", f"--seconds={seconds}", "--preset=tiny", "--device=cpu"]


def test_a_rehearsal_from_text_to_checkpoint(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "WARM_UP_STEPS", 1)
    monkeypatch.setattr(timed, "TIMED_STEPS", 3)
    monkeypatch.setattr(timed, "SAVING_SECONDS", 6.0)
    out = tmp_path / "out"
    options = ["--set=autocast=true", "--profile"]
    monkeypatch.setattr(sys, "argv", ["gpu_train", *command(text, out, 18), *options])
    gpu_train.main()
    facts = json.loads((out / "facts.json").read_text())
    assert 1 <= facts["steps"] <= facts["planned_steps"]
    assert facts["step_flops"] > 1e8
    assert "aten::mm" in (out / "profile.txt").read_text()
    assert facts["tokens_per_second"] == facts["steps_per_second"] * 16 * 64
    engine = TextEngine.load(out / "checkpoint", "cpu", 1)
    assert len(text_of(complete(engine, TextRequest("KING", 1, max_tokens=9)))) > 0
    assert all(path.stat().st_size < 16 << 20 for path in out.rglob("*") if path.is_file())


def test_a_compiled_step_takes_the_same_way(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fused or not, the losses are the same; what can't be compiled runs as it is."""
    make = torch.compile
    seen: list[str] = []

    def compile_by(backend: str) -> Any:
        def traced(module: torch.fx.GraphModule, _: object) -> Any:
            seen.append(backend)
            if backend == "fails":
                raise RuntimeError("no compiler here")
            return module.forward

        return lambda *args, **options: make(*args, backend=traced, **options)

    def losses(is_compiled: bool, backend: str = "") -> list[float]:
        monkeypatch.setattr(torch, "compile", compile_by(backend))
        torch._dynamo.reset()
        settings = PRESETS["tiny"].model_copy(update={"compiled": is_compiled, "dropout": 0.1})
        corpus = read_corpus(str(text), None, settings.split, settings.held_back)
        tokenizer = make_tokenizer(corpus.training, settings)
        config = settings.network_config(len(tokenizer.pieces), "none")
        batches = make_batches(corpus.training, tokenizer, settings)
        trainer = Trainer(config, settings, batches, torch.device("cpu"))
        return [float(trainer.train_step(step)["loss"]) for step in range(3)]

    plain = losses(is_compiled=False)
    assert not seen
    assert losses(True, "traces") == pytest.approx(plain, rel=1e-5)
    assert set(seen) == {"traces"}
    with torch._dynamo.config.patch(suppress_errors=True):
        assert losses(True, "fails") == pytest.approx(plain, rel=1e-5)
    assert set(seen) == {"traces", "fails"}


@pytest.mark.parametrize("is_profiled", [False, True])
def test_timed_steps_are_of_the_usual_windows_and_teach_nothing(
    text: Path, tmp_path: Path, is_profiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "WARM_UP_STEPS", 1)
    monkeypatch.setattr(timed, "TIMED_STEPS", 3)
    settings = PRESETS["tiny"].model_copy(update={"echo_steps": 30, "max_seq_len": 128})
    corpus = read_corpus(str(text), None, settings.split, settings.held_back)
    tokenizer = make_tokenizer(corpus.training, settings)
    config = settings.network_config(len(tokenizer.pieces), "none")
    batches = make_batches(corpus.training, tokenizer, settings)
    trainer = Trainer(config, settings, batches, torch.device("cpu"))
    before = copy.deepcopy(trainer.state())
    widths: list[int] = []
    draw = batches.draw

    def watched(step: int) -> torch.Tensor:
        windows = draw(step)
        widths.append(windows.shape[1])
        time.sleep(0.1 if windows.shape[1] == 65 else 0)
        return windows

    monkeypatch.setattr(batches, "draw", watched)
    profile_file = tmp_path / "profile.txt" if is_profiled else None
    pace = gpu_train.time_usual_steps(trainer, time.monotonic() + 60, profile_file)
    assert pace.next_step == 0
    assert pace.steps_per_second > 0
    assert 0.5 < pace.more_seconds < 5  # of ten steps of 0.1 s
    assert widths[:4] == [65] * 4  # of the steps that teach copying
    assert set(widths[4:]) == {129}
    assert profile_file is None or profile_file.exists()
    after = trainer.state()
    assert (after["shard"], after["place"]) == (batches.shard, batches.place) != (0, 0)
    for name in ("network", "average"):
        for key, tensor in before[name].items():
            assert torch.equal(after[name][key], tensor)
    assert all(not one["state"] for one in after["optimisers"])


def test_windows_that_are_cut_are_not_compiled(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def traced(module: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        seen.append(
            next(
                tuple(one.shape)
                for one in inputs
                if isinstance(one, torch.Tensor) and one.dtype == torch.int64
            )
        )
        return module.forward

    make = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *args, **options: make(*args, **options, backend=traced))
    torch._dynamo.reset()
    settings = PRESETS["tiny"].model_copy(update={"compiled": True, "echo_steps": 6, "max_seq_len": 128})
    corpus = read_corpus(str(text), None, settings.split, settings.held_back)
    tokenizer = make_tokenizer(corpus.training, settings)
    config = settings.network_config(len(tokenizer.pieces), "none")
    batches = make_batches(corpus.training, tokenizer, settings)
    trainer = Trainer(config, settings, batches, torch.device("cpu"))
    trainer.train_step(0)
    assert not seen
    trainer.train_step(3)
    assert {shape[1] for shape in seen} == {129}
    torch._dynamo.reset()


def test_the_preset_comes_home_in_small_files() -> None:
    settings = PRESETS["gpu"]
    with torch.device("meta"):
        network = make_network(settings.network_config(settings.vocabulary, "none"), settings.dropout)
    assert 2 * sum(p.numel() for p in network.parameters()) < 16 << 20


def test_one_that_is_killed_has_kept_a_checkpoint(text: Path, tmp_path: Path) -> None:
    """And where another process splits the text anew for each epoch, it trains all the same."""
    out = tmp_path / "out"
    options = [*command(text, out, 600), "--processes=1", "--set=bpe_dropout=0.1"]
    code = (
        "import sys; from training import timed; timed.KEEP_EVERY = 0.1; timed.TIMED_STEPS = 2;"
        f"sys.argv = ['gpu_train', *{options!r}];"
        "from training.text.gpu_train import main; main()"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        until = time.monotonic() + 120
        while not (out / "checkpoint").exists() and run.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    TextEngine.load(out / "checkpoint", "cpu", 1)
    assert (out / "facts.json").is_file()  # so that the same command may begin again in this folder
