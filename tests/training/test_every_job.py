"""What every job that trains says in one line, before it reads any data, to what can't be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main
from training.eval_segmenter.settings import PRESETS as EVAL_SEGMENTER
from training.landscape.settings import PRESETS as LANDSCAPE
from training.pix2pix.settings import PRESETS as PIX2PIX
from training.run import Settings, write_settings
from training.segmenter.settings import PRESETS as SEGMENTER
from training.seq2seq.bottleneck import BottleneckSettings
from training.text.settings import PRESETS as TEXT

JOBS: dict[str, Settings] = {
    "text": next(iter(TEXT.values())),
    "landscape": next(iter(LANDSCAPE.values())),
    "segmenter": next(iter(SEGMENTER.values())),
    "eval-segmenter": next(iter(EVAL_SEGMENTER.values())),
    "pix2pix": next(iter(PIX2PIX.values())),
    "seq2seq": BottleneckSettings(),
}
every_job = pytest.mark.parametrize("job", JOBS)


def arguments(job: str, run: Path, *more: str) -> list[str]:
    return [job, f"--run={run}", f"--out={run.parent / 'out'}", *more]


@every_job
def test_a_run_that_is_a_file(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    run.write_text("mine")
    assert main(arguments(job, run)) == 1
    assert capsys.readouterr().err == f"error: --run {run}: a file is there already; give a folder\n"
    assert run.read_text() == "mine"
    assert not (tmp_path / "out").exists()


@every_job
def test_a_state_that_was_cut_short(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    write_settings(run, JOBS[job])
    (run / "state.pt").write_bytes(b"PK\x03\x04cut")
    (run / "log.jsonl").write_text('{"step": 1}\n{"st')
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert main(arguments(job, run, "--resume")) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {run / 'state.pt'}: truncated, or no state of a run")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in run.iterdir()} == before


@every_job
@pytest.mark.parametrize("wrong", ["--threads=0", "--max-minutes=-1"])
def test_numbers_out_of_reason(
    job: str, wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments(job, tmp_path / "run", wrong))
    said = capsys.readouterr().err
    assert wrong.partition("=")[0] in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
