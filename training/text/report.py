"""A trained checkpoint's papers: learning curve, samples, and the README that shows them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from models.gpt.engine import TextEngine
from models.gpt.request import TextRequest
from training.plots import new_figure, to_png
from training.text.best import WATCHED
from training.text.corpus import Corpus
from training.text.quality import describe_quality
from training.text.reading import TINY_SHAKESPEARE
from training.text.settings import TextSettings, name_preset

PROMPTS = ("\n", "KING RICHARD III:\n", "O Romeo, Romeo! ", "JULIET:\n", "First Citizen:\n")
PROMPT_CHARACTERS = 24  # of other texts' prompts, at most; whole words
NUM_SAMPLES = 20  # seeds 1 to 20, the prompts in turn: none is picked

BASELINES = (  # on the same last 10 % of Tiny Shakespeare, in windows of 256 characters, as others report
    ("nanoGPT `train_shakespeare_char`, 10.7M, its best", 1.4697),
    ("RoPE, RMSNorm and SwiGLU with AdamW, 10.6M", 1.475),
)
EXPLANATION = (
    "Nats per character: negative log-likelihood of the whole validation text in windows that do not overlap,"
    " over its number of characters, so that any tokenizer compares. *In 256* is in windows of 256"
    " characters, each split into tokens by itself: the context of those that it is compared with. The others"
    " have the model's own window of tokens. *Served* is the same through the service's decoder, token by"
    " token with its cache; *sliding* reads on past the window, each token seeing the full context.\n"
)
QUALITY = (
    "Plainly sampled from a newline with the API's defaults, one seed a text, beside parts of the held-out"
    " text. *Unknown* are speeches whose speaker, and words, that the training text lacks. *Looping*: a part"
    " comes three times or more in a row, over 40 characters or more. *Copied*: runs of 50 characters or more"
    " that stand in the training text.\n"
)


def choose_prompts(corpus: Corpus) -> tuple[str, ...]:
    """A line's end, and how two lines of the held-out text begin: its own letters, whatever the alphabet."""
    if corpus.name == TINY_SHAKESPEARE:
        return PROMPTS
    lines = [line.strip() for line in corpus.validation.splitlines() if line.strip()]
    starts = [lines[len(lines) * third // 3][:PROMPT_CHARACTERS] for third in (1, 2)] if lines else []
    return ("\n", *(start.rpartition(" ")[0] or start for start in starts))


def draw_samples(
    engine: TextEngine, prompts: Sequence[str] = PROMPTS, max_characters: int = 500
) -> list[tuple[TextRequest, str]]:
    """Complete a few prompts with fixed seeds at the service's default temperature."""
    requests = [
        TextRequest(prompt, seed, max_tokens=max_characters, max_characters=max_characters)
        for seed, prompt in zip(range(1, NUM_SAMPLES + 1), cycle(prompts), strict=False)
    ]
    for key, request in enumerate(requests):
        engine.admit(key, request)
    texts = ["" for _ in requests]
    while engine.num_running:
        for event in engine.step():
            texts[event.key] += event.text
    return list(zip(requests, texts, strict=True))


def draw_curve(log: list[dict[str, Any]]) -> bytes:
    """The course of the run over training seconds, as PNG: dev metrics where there are any, else the loss."""
    names = ("dev_nats_per_character", WATCHED, "loss")
    name = next((name for name in names if any(name in line for line in log)), "loss")
    points = [line for line in log if name in line]
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot([line["seconds"] / 60 for line in points], [line[name] for line in points])
    axes.set_xlabel("training minutes (evaluation left out)")
    held_back = "dev nats per character" if name.startswith("dev") else "nats per character, text held back"
    axes.set_ylabel("training loss, nats per token" if name == "loss" else held_back)
    axes.grid(alpha=0.3)
    return to_png(figure)


def write_readme(
    name: str,
    settings: TextSettings,
    metrics: dict[str, Any],
    samples: list[tuple[TextRequest, str]],
    corpus: str,
) -> str:
    """The checkpoint's README.md; `corpus` names the text that it was trained on."""
    shown = [
        f"Prompt {request.prompt!r}, seed {request.seed}, temperature {request.temperature}:\n\n"
        f"```\n{str(request.prompt).lstrip()}{text}\n```\n"
        for request, text in samples
    ]
    quality = metrics.get("text_quality")
    rows = [
        f"| {key.replace('_', ' ')} | {_plain(value)} |"
        for key, value in metrics.items()
        if not isinstance(value, dict)
    ]
    dials = ", ".join(f"{key} {_plain(value)}" for key, value in settings.model_dump().items())
    origin = "from scratch" if settings.start_from is None else f"on from `{settings.start_from}`"
    parts = [
        f"# {name}\n",
        f"A GPT trained {origin}, on {corpus}:\n\n```sh\n{make_command(settings, corpus)}\n```\n",
        *_compare(metrics, corpus),
        "| figure | |\n|---|---|",
        *rows,
        "",
        EXPLANATION,
        *(["## How it reads\n", describe_quality(quality), "", QUALITY] if quality else []),
        "![the run over time](curve.png)\n",
        "## Samples\n",
        *shown,
        f"## Settings\n\n{dials}.\n",
    ]
    return "\n".join(parts)


def make_command(settings: TextSettings, corpus: str) -> str:
    """What a reader runs in the repository to train the same; Tiny Shakespeare is fetched."""
    preset, overrides = name_preset(settings)
    words = ["--preset", preset, *(word for override in overrides for word in ("--set", override))]
    data = "" if corpus == TINY_SHAKESPEARE else f" DATA={shlex.quote(corpus)}"
    return f'make train-text{data} ARGS="{shlex.join(words)}"'


def _compare(metrics: dict[str, Any], corpus: str) -> list[str]:
    """The table beside other people's results, where the text and its split are theirs."""
    fair = metrics.get("validation_nats_per_character_in_256")
    if corpus != TINY_SHAKESPEARE or fair is None:
        return []
    size, whole = f"{metrics['parameters'] / 1e6:.1f}M", metrics["validation_nats_per_character"]
    rows = [
        (f"this one, {size}, in the same windows", fair),
        *BASELINES,
        ("this one, in its own window", whole),
    ]
    return [
        "| model | nats per character, 256 characters of context |\n|---|---|",
        *(f"| {model} | {score:.4f} |" for model, score in rows),
        "",
    ]


def _plain(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and 0.1 <= value < 10 else str(value)
