"""From data to answer: a short training run on a text of our own, its checkpoint served, its text fetched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.server import ROOT, run_server


def test_a_short_run_is_served(tmp_path: Path) -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    text = "\n".join(path.read_text() for path in [ROOT / "README.md", ROOT / "LICENSE", *pages])
    (tmp_path / "own.txt").write_text(text)
    checkpoint = tmp_path / "checkpoints" / "own"
    command = [
        sys.executable,
        "-m",
        "training",
        "text",
        "--preset",
        "tiny",
        "--threads",
        "1",
        "--max-minutes",
        "3",
    ]
    command += ["--data", str(tmp_path / "own.txt"), "--run", str(tmp_path / "run"), "--out", str(checkpoint)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.85 * losses[0]  # it learnt something

    environment = {"PROSPERO_CHECKPOINTS": str(tmp_path / "checkpoints"), "PROSPERO_THREADS": "1"}
    with (
        run_server(tmp_path / "server.log", ["-m", "service"], environment) as server,
        server.client() as client,
    ):
        (model,) = client.get("/models").json()["models"]
        assert (model["name"], model["kind"], model["state"]) == ("own", "gpt", "ready")
        body = {"prompt": "The server", "max_tokens": 30, "seed": 1}
        answer = client.post("/generate/text", json=body).json()
        assert answer["model"] == "own"
        assert answer["usage"]["completion_tokens"] == 30
        assert len(answer["choices"][0]["text"]) >= 20
