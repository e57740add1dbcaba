"""Clients that others wrote speak to `/v1` as they stand; `make clients` installs them into state/clients."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from harness.probes import is_idle, metrics, sum_of, wait_until
from harness.server import ROOT, Server
from tests.live.test_readme import python_programs

PYTHON = ROOT / "state" / "clients" / "bin" / "python"
LM_EVAL = ROOT / "state" / "lm-eval" / "bin" / "lm_eval"
GUIDELLM = ROOT / "state" / "guidellm" / "bin" / "guidellm"
CHECKPOINT = ROOT / "checkpoints" / "gpt-shakespeare"
SCRIPTS = sorted((Path(__file__).parent / "clients").glob("*.py"))

pytestmark = pytest.mark.slow


def run(program: str, server: Server) -> str:
    """Run ``program`` with the clients' Python; it finds the server at the README's address."""
    here = program.replace("http://localhost:8000", server.url)
    command = [str(PYTHON), "-W", "ignore", "-c", here]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_client(script: Path, bundled: Server) -> None:
    assert run(script.read_text(), bundled).endswith("done\n")
    wait_until(lambda: is_idle(bundled), what="a server that forgot what clients gave up")


def test_the_readme_lines_work_when_pasted(bundled: Server) -> None:
    programs = [one for one in python_programs() if "openai" in one]
    assert len(programs) == 2
    for program in programs:
        assert len(run(program, bundled).strip()) > 10


def test_lm_evaluation_harness_scores_as_the_server_does(bundled: Server, tmp_path: Path) -> None:
    """A task of two choices a line, read from disk; nothing is looked for on the internet."""
    model = {
        "model": "gpt-shakespeare",
        "base_url": f"{bundled.url}/v1/completions",
        "tokenizer": CHECKPOINT,
        "num_concurrent": 2,
    }
    arguments = ",".join(f"{name}={value}" for name, value in model.items())
    command: list[str | Path] = [
        LM_EVAL,
        "--model",
        "local-completions",
        "--model_args",
        arguments,
        "--include_path",
        ".",
    ]
    command += ["--tasks", "shakespeare", "--output_path", tmp_path / "out", "--log_samples"]
    run_offline(command, Path(__file__).parent / "clients" / "lm_eval", tmp_path)
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["shakespeare"]["acc,none"] == 1
    (samples,) = (tmp_path / "out").rglob("samples_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(lines) == 6
    for line in lines:
        for choice, (said, _) in zip(line["doc"]["choices"], line["filtered_resps"], strict=True):
            assert float(said) == pytest.approx(score(bundled, line["doc"]["prompt"], choice), abs=1e-3)


@pytest.mark.parametrize("route", ["/v1/completions", "/v1/chat/completions"])
def test_guidellm_loads_the_server_and_counts_as_it_does(route: str, bundled: Server, tmp_path: Path) -> None:
    """Streams, four at a time, of prompts that it makes up of the checkpoint's own tokens."""
    options = {
        "backend": f"kind=openai_http,target={bundled.url},model=gpt-shakespeare,request_format={route}",
        "profile": "kind=concurrent,streams=4",
        "constraint": "kind=max_requests,count=24",
        "tokenizer": f"kind=hf_auto,model={CHECKPOINT}",
        "data": "kind=synthetic_text,prompt_tokens=40,output_tokens=24",
        "output": "kind=json,path=report.json",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    before = metrics(bundled)
    run_offline([GUIDELLM, "run", *flags, "--disable-console"], tmp_path, tmp_path)
    after = metrics(bundled)
    (report,) = json.loads((tmp_path / "report.json").read_text())["benchmarks"]
    told = report["metrics"]
    assert told["request_totals"] == {"successful": 24, "errored": 0, "incomplete": 0, "total": 24}
    for theirs, ours in {"prompt": "prompt", "output": "generated"}.items():
        name = f"prospero_text_{ours}_tokens_total"
        counted = sum_of(after, name) - sum_of(before, name)
        summed = told[f"{theirs}_token_count"]["successful"]["total_sum"]  # of floats: a little rounded
        assert summed == pytest.approx(counted, rel=1e-9)
        assert counted > 24
    assert told["inter_token_latency_ms"]["successful"]["mean"] > 0, "what it streamed came in pieces"


def run_offline(command: list[str | Path], folder: Path, home: Path) -> None:
    """Run what would look for models and data sets on the internet."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(home / "home")}
    environment = {**os.environ, **offline, "OPENAI_API_KEY": "none"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def score(server: Server, prompt: str, choice: str) -> float:
    """Of ``choice`` after ``prompt``, at the other door; the space between them is of the first token."""
    given = {"prompt": prompt.rstrip()}
    num_given = len(httpx.post(f"{server.url}/tokenize", json=given).json()["tokens"])
    asked = {"prompt": prompt + choice, "max_tokens": 0, "prompt_logprobs": 0}
    answer = httpx.post(f"{server.url}/generate/text", json=asked).raise_for_status().json()
    tokens = answer["choices"][0]["prompt_logprobs"][num_given:]
    return sum(float(one["logprob"]) for one in tokens)
