"""What the bundled GPT is said to be: good by nats and by what people read, neither bought with the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.checkpoint import read_metrics
from models.gpt.engine import TextEngine
from training.text.quality import draw_texts, is_stuck

CHECKPOINT = Path("checkpoints/gpt-shakespeare")


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return read_metrics(CHECKPOINT)


def test_its_nats(metrics: dict[str, Any]) -> None:
    assert metrics["validation_nats_per_character_in_256"] <= 1.398
    assert metrics["validation_nats_per_character_served"] <= 1.29


def test_its_speakers_and_words_exist(metrics: dict[str, Any]) -> None:
    quality = metrics["text_quality"]
    assert quality["texts"] == 100
    assert quality["characters"] == 500
    assert quality["temperature_0.8"]["unknown_speakers"] <= 0.18  # 0.15 was wanted: docs/experiments.md
    assert quality["temperature_0.5"]["unknown_speakers"] <= 0.05
    assert quality["temperature_0.8"]["unknown_words"] <= 0.038  # 0.033 was wanted


def test_it_learnt_more_than_by_heart(metrics: dict[str, Any]) -> None:
    quality = metrics["text_quality"]
    for temperature in ("0.5", "0.8", "1.0"):
        figures = quality[f"temperature_{temperature}"]
        assert figures["copied_runs"] <= 2
        assert figures["distinct_speakers"] >= quality["held_out_text"]["distinct_speakers"] / 2


def test_it_does_not_get_stuck(metrics: dict[str, Any]) -> None:
    figures = [metrics["text_quality"][f"temperature_{one}"] for one in ("0.5", "0.8", "1.0")]
    assert sum(one["looping_texts"] for one in figures) <= 1
    engine = TextEngine.load(CHECKPOINT, "cpu")
    assert sum(map(is_stuck, draw_texts(engine, 0.5, num_texts=20))) <= 1, "drawn anew, where it was worst"


def test_its_papers_lead_with_the_fair_comparison(metrics: dict[str, Any]) -> None:
    readme = (CHECKPOINT / "README.md").read_text()
    fair, whole = (metrics[f"validation_nats_per_character{end}"] for end in ("_in_256", ""))
    assert readme.index(f"in the same windows | {fair:.4f}") < readme.index(
        f"in its own window | {whole:.4f}"
    )
    assert readme.count("temperature 0.8:\n") == 20
