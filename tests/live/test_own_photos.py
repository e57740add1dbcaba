"""From sixty photos of one's own to a picture over HTTP, by the README's three commands."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.server import ROOT, run_server


@pytest.mark.slow
def test_sixty_photos_become_a_served_model(tmp_path: Path) -> None:
    folder, checkpoints = tmp_path / "photos", tmp_path / "checkpoints"
    folder.mkdir()
    whole, draw = (
        Image.open(ROOT / "docs" / "examples" / "landscape.jpg").convert("RGB"),
        np.random.default_rng(0),
    )
    for number in range(60):  # parts of a landscape, of many shapes, some mirrored
        width, height = draw.integers(whole.height // 2, whole.height, 2).tolist()
        left, top = draw.integers(whole.width - width), draw.integers(whole.height - height + 1)
        part = whole.crop((left, top, left + width, top + height))
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else part
        part.save(folder / f"IMG_{number:04}.{('jpg', 'JPEG', 'png')[number % 3]}")
    (folder / "IMG_0007.JPEG").write_bytes(b"broken")
    command = [
        sys.executable,
        "-m",
        "prospero",
        "train",
        "landscape",
        "--preset",
        "minute",
        "--set",
        "steps=4",
    ]
    command += ["--data", str(folder), "--run", str(tmp_path / "run"), "--out", str(checkpoints / "mine")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert "read 59 files, skipped 1: IMG_0007.JPEG" in done.stderr

    environment = {"PROSPERO_CHECKPOINTS": str(checkpoints), "PROSPERO_THREADS": "1"}
    with (
        run_server(tmp_path / "server.log", ["-m", "prospero", "serve"], environment) as server,
        server.client() as client,
    ):
        sketch = {"sketch": (ROOT / "docs" / "examples" / "lake.png").read_bytes()}
        answer = client.post("/generate/landscape", files=sketch, data={"model": "mine", "seed": "3"})
        assert answer.status_code == 200, answer.text
        assert max(Image.open(io.BytesIO(answer.content)).size) == 64
