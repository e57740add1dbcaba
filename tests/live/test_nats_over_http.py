"""What a client alone recomputes of a text's likelihood is what the training job measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import nats_over_http
from benchmarks.nats_over_http import nats_in_contexts, nats_in_windows
from harness.server import Server
from models.gpt.engine import TextEngine
from training.text.evaluate import nats_per_character, nats_per_character_in_windows

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "benchmarks" / "compare" / "shakespeare.txt").read_text()[:6000]  # over two contexts


def test_both_windows_score_as_the_training_job_does(bundled: Server) -> None:
    engine = TextEngine.load(ROOT / "checkpoints" / "gpt-shakespeare", "cpu", max_slots=1)
    network, tokenizer = engine.decoder.network, engine.tokenizer
    context = network.config.max_seq_len
    with bundled.client() as client:
        narrow = nats_in_windows(client, TEXT)
        whole = nats_in_contexts(client, TEXT)
    assert narrow == pytest.approx(nats_per_character_in_windows(network, tokenizer, TEXT), abs=2e-3)
    assert whole == pytest.approx(nats_per_character(network, tokenizer, TEXT, context - 1), abs=2e-3)


@pytest.mark.parametrize("text", ["", "abc", "one\n\ntwo three\n" * 9, "no end of line " * 9, "\n" * 50])
def test_a_long_text_is_cut_before_ends_of_lines(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_over_http, "CHARACTERS_A_REQUEST", 20)
    parts = list(nats_over_http._cut(text))
    assert "".join(parts) == text
    assert all(0 < len(part) <= 20 for part in parts)
    if "two" in text:
        assert all(part.startswith("\n") and not part.endswith("\n") for part in parts[1:-1])
