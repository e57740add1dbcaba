"""The end of a text run: averaged weights, rounded and scored as they will be served, with their papers."""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from models.checkpoint import save_checkpoint
from models.gpt.engine import TextEngine
from models.gpt.kernel import load_kernel
from models.gpt.network import GPT
from models.gpt.tokenizer import TOKENIZER_FILE, Tokenizer
from training.files import write_atomically
from training.run import Run
from training.text.best import Best
from training.text.corpus import Corpus, spread
from training.text.evaluate import (
    nats_per_character,
    nats_per_character_in_windows,
    served_nats_per_character,
    sliding_nats_per_character,
)
from training.text.merging import merge
from training.text.quality import text_quality
from training.text.report import choose_prompts, draw_curve, draw_samples, write_readme
from training.text.trainer import Trainer

MAX_REFERENCE = 5_000_000  # characters of the training text that texts are compared with: how they read

# One name per split, so that metrics on different texts are never compared.
METRICS = {"dev": "dev_nats_per_character", "release": "validation_nats_per_character"}
SPLITS = {"dev": "last 5 % of the training part", "release": "last 10 %"}


def write_result(
    run: Run, trainer: Trainer, tokenizer: Tokenizer, corpus: Corpus, name: str, best: Best
) -> None:
    """Write the checkpoint into the run's folder, under a name for its README.

    The held-out text is looked at only when the last step is done. A network that is not served gets a
    metrics.json in the run's folder then, nothing else.
    """
    network, metric = trainer.average.network, METRICS[trainer.settings.split]
    is_done = run.step == run.num_steps
    if not isinstance(network, GPT):
        if is_done:
            exact = nats_per_character(network, tokenizer, corpus.validation)
            metrics = {metric: round(exact, 5), **best.facts(), **_circumstances(run, trainer)}
            write_atomically(run.folder / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
            run.say(f"{run.folder / 'metrics.json'}: {metric} {exact:.4f}")
        return
    network.load_state_dict(merge(network.state_dict(), trainer.settings))
    exact = nats_per_character(network, tokenizer, corpus.validation) if is_done else math.nan
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in network.state_dict().items()}
    network.load_state_dict(tensors)
    engine = TextEngine(network, tokenizer, kernel=load_kernel() if trainer.device.type == "cpu" else None)
    scores = {} if not is_done else _scores(metric, exact, engine, corpus.validation)
    metrics = scores | (best.facts() if is_done else {}) | _circumstances(run, trainer)
    if is_done and trainer.settings.split == "release":
        metrics["text_quality"] = text_quality(
            engine, spread(corpus.training, MAX_REFERENCE), corpus.validation
        )
    samples = draw_samples(engine, choose_prompts(corpus))
    files = {TOKENIZER_FILE: tokenizer.to_json(), "curve.png": draw_curve(run.read_log())}
    readme = write_readme(name, trainer.settings, metrics, samples, corpus.name)
    save_checkpoint(run.folder / "checkpoint", network.config, tensors, metrics, readme, files)
    for request, text in samples[:3]:
        run.say(f"--- {request.prompt!r}, seed {request.seed}\n{request.prompt}{text}")
    said = f"{metric} {scores[metric]:.4f}" if scores else f"not scored before step {run.num_steps}"
    run.say(f"{run.folder / 'checkpoint'}: {said}")


def _scores(metric: str, exact: float, engine: TextEngine, text: str) -> dict[str, Any]:
    """The metric of the rounded weights, beside that of the exact ones and as they are served."""
    network, tokenizer = engine.decoder.network, engine.tokenizer
    return {
        metric: round(nats_per_character(network, tokenizer, text), 5),
        f"{metric}_float32": round(exact, 5),
        f"{metric}_in_256": round(nats_per_character_in_windows(network, tokenizer, text), 5),
        **_as_served(metric, engine, text),
        "characters_per_token": round(len(text) / len(tokenizer.encode(text)), 3),
    }


def _as_served(metric: str, engine: TextEngine, text: str) -> dict[str, float]:
    """The metric out of the service's decoder, and where reading goes on past the window."""
    decoder, tokenizer = engine.decoder, engine.tokenizer
    metrics = {f"{metric}_served": served_nats_per_character(decoder, tokenizer, text)}
    sliding = sliding_nats_per_character(decoder, tokenizer, text)
    if sliding is not None:
        metrics[f"{metric}_sliding"] = sliding
    return {name: round(value, 5) for name, value in metrics.items()}


def _circumstances(run: Run, trainer: Trainer) -> dict[str, Any]:
    device = trainer.device.type
    return {
        "validation_split": SPLITS[trainer.settings.split],
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "steps": run.step,
        "training_seconds": round(run.seconds, 1),
        "processes": trainer.ranks.world,
        "threads": torch.get_num_threads() if device == "cpu" else 0,
        "device": device,
    }
