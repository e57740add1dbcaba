"""A trained checkpoint's papers: learning curve, samples, and the README that shows them."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.gpt.engine import TextEngine, TextRequest
from training.text.settings import TextSettings

SAMPLES = (("\n", 1), ("KING RICHARD III:\n", 2), ("O Romeo, Romeo! ", 3))


def draw_samples(engine: TextEngine, max_characters: int = 500) -> list[tuple[TextRequest, str]]:
    """Complete a few prompts with fixed seeds at the service's default temperature."""
    requests = [
        TextRequest(prompt, seed, max_tokens=max_characters, max_characters=max_characters)
        for prompt, seed in SAMPLES
    ]
    for key, request in enumerate(requests):
        engine.admit(key, request)
    texts = ["" for _ in requests]
    while engine.num_running:
        for event in engine.step():
            texts[event.key] += event.text
    return list(zip(requests, texts, strict=True))


def draw_curve(log: list[dict[str, Any]]) -> bytes:
    """The course of the run over training seconds, as PNG: dev figures where there are any, else the loss."""
    name = "dev_nats_per_character"
    points = [line for line in log if name in line]
    if not points:
        name, points = "loss", log
    figure = Figure(figsize=(6.4, 3.6), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([line["seconds"] / 60 for line in points], [line[name] for line in points])
    axes.set_xlabel("training minutes (evaluation left out)")
    axes.set_ylabel("training loss, nats per token" if name == "loss" else "dev nats per character")
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write_readme(
    name: str,
    settings: TextSettings,
    metrics: dict[str, Any],
    samples: list[tuple[TextRequest, str]],
    command: str,
) -> str:
    """The checkpoint's README.md."""
    shown = [
        f"Prompt {request.prompt!r}, seed {request.seed}, temperature {request.temperature}:\n\n"
        f"```\n{request.prompt.lstrip()}{text}\n```\n"
        for request, text in samples
    ]
    rows = [f"| {key.replace('_', ' ')} | {_plain(value)} |" for key, value in metrics.items()]
    recipe = ", ".join(f"{key} {_plain(value)}" for key, value in settings.model_dump().items())
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A GPT trained from scratch with `{command}`.",
            "",
            "| figure | |",
            "|---|---|",
            *rows,
            "",
            "Nats per character: negative log-likelihood of the whole validation text in windows that do not"
            " overlap, over its number of characters.",
            "",
            "![the run over time](curve.png)",
            "",
            "## Samples",
            "",
            *shown,
            "## Recipe",
            "",
            recipe + ".",
            "",
        ]
    )


def _plain(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and value >= 0.1 else str(value)
