"""`python -m training text`, from a text to a checkpoint that speaks, killed on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from models.checkpoint import read_metrics, read_weights
from models.gpt.engine import TextEngine
from models.gpt.network import GPT
from models.gpt.request import TextRequest
from training.__main__ import main
from training.text.quality import text_quality

WORDS = ["the", "king", "is", "dead", "long", "live", "my", "lord", "speak", "thou"]
WORDS += ["Ann", "Anna", "Hanna", "Hannah", "ANNAH"]
FAST = ["--preset", "tiny", "--set", "steps=24", "--set", "eval_every=8", "--set", "save_every=4"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_text("".join(chance.choice(WORDS) + chance.choice("  \n") for _ in range(12_000)))
    return path


def arguments(text: Path, run: Path, *more: str) -> list[str]:
    return ["text", "--data", str(text), "--run", str(run), "--threads", "1", *FAST, *more]


def test_data_to_checkpoint_to_words(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "gpt-words"
    assert main(arguments(text, tmp_path / "run", "--out", str(out), "--set", "bpe_dropout=0.1")) == 0
    metrics = read_metrics(out)
    figures = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    dev = [line["dev_nats_per_character"] for line in figures if "dev_nats_per_character" in line]
    assert len(dev) == 3
    assert metrics["dev_nats_per_character"] == pytest.approx(dev[-1], abs=0.01)
    assert metrics["dev_nats_per_character"] < dev[0]
    engine = TextEngine.load(out, "cpu", max_slots=2)
    engine.admit(1, TextRequest("the king", seed=1, max_tokens=20))
    text_given = ""
    while engine.num_running:
        text_given += "".join(event.text for event in engine.step())
    assert len(text_given) > 20
    readme = (out / "README.md").read_text()
    assert "## Samples" in readme
    assert (
        str(tmp_path) not in readme + (out / "config.json").read_text() + (out / "metrics.json").read_text()
    )
    assert metrics["dev_nats_per_character_served"] == pytest.approx(
        metrics["dev_nats_per_character"], abs=0.005
    )
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "steps/s" in capsys.readouterr().err


@pytest.mark.slow
def test_a_release_says_how_it_reads_and_so_does_its_evaluation(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gpt-words"
    released = ("--set", "split=release", "--set", "steps=4", "--out", str(out))
    assert main(arguments(text, tmp_path / "run", *released)) == 0
    metrics = read_metrics(out)
    quality = metrics["text_quality"]
    assert quality["held_out_text"]["unknown_words"] == 0
    assert quality["temperature_1.0"]["unknown_words"] > 0.5, "it can't have learnt words in four steps"
    readme = (out / "README.md").read_text()
    assert "## How it reads" in readme
    assert readme.count("temperature 0.8:") == 20
    stale = {**metrics, "text_quality": {}, "validation_nats_per_character_in_256": 9.0}
    (out / "metrics.json").write_text(json.dumps(stale))
    assert main(["evaluate", str(out), "--data", str(text), "--threads", "1", "--write"]) == 0
    assert read_metrics(out) == metrics
    told = capsys.readouterr().out
    assert f"windows of 256 characters: {metrics['validation_nats_per_character_in_256']:.4f}" in told
    assert "| unknown words | " in told


def test_a_checkpoint_is_looked_for_before_the_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "checkpoint")
    assert main(["evaluate", absent, "--data", str(tmp_path / "text")]) == 1
    assert absent in capsys.readouterr().err


def test_resuming_after_a_kill_changes_no_bit(text: Path, tmp_path: Path) -> None:
    drawn = ["bpe_dropout=0.1", "renaming=0.5", "echo_steps=10", "early_context=16"]
    drawn += ["invented_weight=0", "name_weight=2", "loop_penalty=0.5"]
    drawn_each_epoch = [word for setting in drawn for word in ("--set", setting)]
    assert main(arguments(text, tmp_path / "whole", *drawn_each_epoch)) == 0
    cut = arguments(text, tmp_path / "cut", *drawn_each_epoch)
    process = subprocess.Popen([sys.executable, "-m", "training", *cut], stderr=subprocess.DEVNULL)
    state = tmp_path / "cut" / "state.pt"
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state.exists()
    assert not (tmp_path / "cut" / "checkpoint").exists(), "the run was over before it was killed"
    assert main([*cut, "--resume"]) == 0
    whole, resumed = (read_weights(tmp_path / name / "checkpoint") for name in ("whole", "cut"))
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "cut")]
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert losses[0] == losses[1]


def test_a_run_may_start_from_a_checkpoint(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(text, tmp_path / "first", "--set", "eval_every=24")) == 0
    first = tmp_path / "first" / "checkpoint"
    start = (
        "--set",
        f"start_from={first}",
        "--set",
        "learning_rate=1e-9",
        "--set",
        "muon_learning_rate=1e-9",
    )
    assert main(arguments(text, tmp_path / "second", *start, "--set", "steps=1")) == 0
    before, after = (read_weights(folder) for folder in (first, tmp_path / "second" / "checkpoint"))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert (first / "tokenizer.json").read_bytes() == (
        tmp_path / "second" / "checkpoint" / "tokenizer.json"
    ).read_bytes()
    capsys.readouterr()
    assert main(arguments(text, tmp_path / "third", *start, "--set", "hidden_size=32")) == 1
    assert "another shape" in capsys.readouterr().err
    assert main(arguments(text, tmp_path / "fourth", "--set", f"start_from={tmp_path / 'none'}")) == 1
    assert "config.json: No such file" in capsys.readouterr().err


def test_the_time_box_stops_and_resuming_ends_the_same(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    out = ["--out", str(tmp_path / "out")]
    assert main(arguments(text, run, "--max-minutes", "0", *out)) == 0
    metrics = read_metrics(run / "checkpoint")
    assert metrics["steps"] == 1
    assert not any("nats_per_character" in name for name in metrics), "scored before its time"
    assert TextEngine.load(run / "checkpoint", "cpu", max_slots=1).decoder.context == 64
    assert not (tmp_path / "out").exists()
    assert main(arguments(text, run, "--resume", *out)) == 0
    assert read_metrics(tmp_path / "out") == read_metrics(run / "checkpoint")
    assert read_metrics(tmp_path / "out")["dev_nats_per_character"] > 0


def test_another_alphabet_is_asked_in_its_own_letters(tmp_path: Path) -> None:
    path, run = tmp_path / "words.txt", tmp_path / "run"
    path.write_text("быть или не быть " * 3000)  # not even a line's end
    more = ["--set", "tokenizer=characters", "--set", "steps=2", "--set", "positions=learned"]
    assert main(arguments(path, run, *more)) == 0
    readme = (run / "checkpoint" / "README.md").read_text()
    assert "KING" not in readme
    assert "Prompt 'быть" in readme or "Prompt 'или" in readme or "Prompt 'не" in readme


def test_ctrl_c_leaves_state_and_a_checkpoint_that_serves(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [*arguments(text, run, "--set", "steps=100000"), "--set", "save_every=100000"]
    with subprocess.Popen(
        [sys.executable, "-m", "training", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not (run / "log.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    assert "--resume goes on, --finish ends it here" in said
    assert "Traceback" not in said
    step = torch.load(run / "state.pt", weights_only=True)["step"]
    assert read_metrics(run / "checkpoint")["steps"] == step >= 8
    assert TextEngine.load(run / "checkpoint", "cpu", max_slots=1).decoder.context == 64


@pytest.mark.parametrize(
    "words", [["--threads", "0"], ["--max-minutes", "-1"], ["--max-minutes", "nan"], ["--finish", "0"]]
)
def test_numbers_out_of_reason_are_one_line(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["text", "--data", str(text), "--run", str(tmp_path / "run"), *words])
    said = capsys.readouterr().err
    assert words[0] in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_finishing_equals_a_run_that_was_planned_so(text: Path, tmp_path: Path) -> None:
    shape = ["--set", "eval_every=12", "--set", "warmup_steps=1", "--set", "early_context=16"]
    run = arguments(text, tmp_path / "run", *shape, "--set", "steps=900", "--max-minutes", "0")
    assert main(run) == 0  # stops after one step
    finish = ["text", "--data", str(text), "--run", str(tmp_path / "run"), "--threads", "1"]
    assert main([*finish, "--finish", "11", "--max-minutes", "0"]) == 0
    assert main([*finish, "--finish", "11", "--out", str(tmp_path / "out")]) == 0
    planned = ["--set", "steps=12", "--set", f"decay_fraction={11 / 12}"]
    assert main(arguments(text, tmp_path / "planned", *shape, *planned)) == 0
    finished, wanted = read_weights(tmp_path / "out"), read_weights(tmp_path / "planned" / "checkpoint")
    assert all(torch.equal(tensor, finished[name]) for name, tensor in wanted.items())
    assert finished.keys() == wanted.keys()
    assert (tmp_path / "run" / "finish-1+11" / "checkpoint").is_dir()
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["steps"] == 900  # may still go on
    assert main(["text", "--data", str(text), "--run", str(tmp_path / "planned"), "--finish"]) == 1


def test_a_run_goes_on_with_its_own_text_or_not_at_all(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As documented: what the run has need not be said again, neither text nor preset nor settings."""
    mine = tmp_path / "mine.txt"
    mine.write_bytes(text.read_bytes())
    run, out = tmp_path / "run", tmp_path / "out"
    shape = ["--set", "steps=900", "--set", "vocabulary=300"]
    assert main(arguments(mine, run, *shape, "--max-minutes", "0")) == 0
    config = json.loads((run / "checkpoint" / "config.json").read_text())
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for words in (["--resume"], ["--finish", "5"]):
        for changed in (text.read_text()[::-1], text.read_text()[:-1]):
            other = tmp_path / "other.txt"
            other.write_text(changed)
            assert main(["text", "--run", str(run), "--data", str(other), *words]) == 1
            assert "was trained on mine.txt" in capsys.readouterr().err
    kept = {path: content for path, content in before.items() if path.parent.name != "finish-1+5"}
    assert {path: path.read_bytes() for path in kept} == kept
    monkeypatch.chdir(tmp_path / "run")  # the text is found from anywhere
    assert main(["text", "--run", str(run), "--finish", "5", "--threads", "1", "--out", str(out)]) == 0
    assert json.loads((out / "config.json").read_text()) == config
    assert main(["text", "--run", str(run), "--resume", "--max-minutes", "0", "--threads", "1"]) == 0
    assert torch.load(run / "state.pt", weights_only=True)["step"] == 2
    mine.unlink()
    assert main(["text", "--run", str(run), "--resume"]) == 1
    assert "mine.txt: No such file" in capsys.readouterr().err
    moved = ["--data", str(text)]  # the same text under another name
    assert main(["text", "--run", str(run), "--resume", "--max-minutes", "0", "--threads", "1", *moved]) == 0


def test_the_state_s_tokenizer_is_taken_not_made_anew(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert main(arguments(text, run, "--max-minutes", "0")) == 0
    tokenizer = (run / "checkpoint" / "tokenizer.json").read_bytes()
    monkeypatch.setattr("training.text.tokenizing.make_bpe", lambda *_: pytest.fail("made anew"))
    assert main(arguments(text, run, "--resume")) == 0
    assert (run / "checkpoint" / "tokenizer.json").read_bytes() == tokenizer


def test_release_runs_look_at_the_validation_text_once(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.text.result.text_quality", partial(text_quality, num_texts=4))
    run = tmp_path / "run"
    assert main(arguments(text, run, "--set", "split=release")) == 0
    assert "nats_per_character" not in (run / "log.jsonl").read_text()
    assert "validation_nats_per_character" in read_metrics(run / "checkpoint")


def test_an_lstm_learns_from_the_same_text(text: Path, tmp_path: Path) -> None:
    lstm = ["--set", "network=lstm", "--set", "optimiser=adamw"]
    assert main(arguments(text, tmp_path / "run", *lstm)) == 0
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["dev_nats_per_character"] == log[-1]["dev_nats_per_character"] < 0.8 * 2.6
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert main(arguments(text, tmp_path / "other", *lstm, "--out", str(tmp_path / "out"))) == 1
    assert main(arguments(text, tmp_path / "muon", "--set", "network=lstm")) == 1


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (b"", [], "has no text"),
        (b"too short", [], "too few"),
        (b"\xff\xfe", [], "not UTF-8"),
        (b"fine " * 9000, ["--set", "widht=3"], "widht"),
        (b"fine " * 9000, ["--set", "heads=3"], "not a multiple of heads"),
        (b"fine " * 9000, ["--device", "cuda:99"], "cuda:99"),
    ],
)
def test_mistakes_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, more: list[str], said: str
) -> None:
    path = tmp_path / "input.txt"
    path.write_bytes(content)
    assert main(arguments(path, tmp_path / "run", *more)) == 1
    assert said in capsys.readouterr().err


def test_a_release_keeps_the_best_of_what_it_looked_at(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([2.5, 2.0, 2.25])

    def score(network: GPT, *_: object) -> float:
        kept[len(kept)] = {name: weight.clone() for name, weight in network.state_dict().items()}
        return next(scores)

    kept: dict[int, dict[str, torch.Tensor]] = {}
    monkeypatch.setattr("training.text.job.nats_per_character", score)
    monkeypatch.setattr("training.text.result.text_quality", lambda *_: {})
    run = tmp_path / "run"
    released = ["--set", "split=release", "--set", "held_back=0.05"]
    assert main(arguments(text, run, *released)) == 0
    metrics = read_metrics(run / "checkpoint")
    assert (metrics["best_step"], metrics["watched_nats_per_character"]) == (16, 2.0)
    assert metrics["validation_nats_per_character"] > 0
    saved = read_weights(run / "checkpoint")
    assert all(torch.equal(weight, kept[1][name].to(torch.bfloat16)) for name, weight in saved.items())
    assert any(not torch.equal(weight, kept[2][name].to(torch.bfloat16)) for name, weight in saved.items())
    best = torch.load(run / "state.pt", weights_only=True)["state"]["best"]
    assert (best["step"], best["score"]) == (16, 2.0)
    assert all(torch.equal(weight, best["weights"][name]) for name, weight in kept[1].items())
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
