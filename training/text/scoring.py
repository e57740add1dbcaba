"""Measure a checkpoint as it is served: its score on the validation text, and how what it writes reads.

Windows of 256 characters are nanoGPT's own measure on Tiny Shakespeare; the served window is this model's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from models.checkpoint import METRICS_FILE, CheckpointError, read_metrics
from models.gpt.engine import TextEngine
from training.arguments import pick_device, positive
from training.errors import TrainingError
from training.files import write_atomically
from training.text.corpus import split_text
from training.text.evaluate import (
    nats_per_character,
    nats_per_character_in_windows,
    served_nats_per_character,
    sliding_nats_per_character,
)
from training.text.quality import describe_quality, text_quality
from training.text.reading import TINY_SHAKESPEARE_URL, read_text
from training.text.result import METRICS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", default=TINY_SHAKESPEARE_URL, metavar="PATH|URL")
    parser.add_argument("--sha256", help="what a download from another URL than the default must have")
    parser.add_argument("--split", choices=("dev", "release"), default="release")
    parser.add_argument(
        "--write", action="store_true", help="put text_quality and the narrow score into its metrics.json"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=positive, metavar="N")


def run(args: argparse.Namespace) -> None:
    """Print the figures; the last line is `nats_per_char` and the served one."""
    pick_device(args.device, args.threads)
    try:
        engine = TextEngine.load(args.checkpoint, args.device)
    except CheckpointError as error:
        raise TrainingError(str(error)) from None
    training, text = split_text(read_text(args.data, args.sha256), args.split)
    decoder, tokenizer = engine.decoder, engine.tokenizer
    num_tokens = len(tokenizer.encode(text))
    print(f"{args.checkpoint}: {engine.describe()['parameters']} parameters, {tokenizer.name}")
    print(f"text: {len(text)} characters, {num_tokens} tokens, window {decoder.context} tokens")
    for name, value in read_metrics(args.checkpoint).items():
        if name.endswith(("nats_per_character", "float32")):
            print(f"said by metrics.json: {name} {value:.4f}")
    narrow = nats_per_character_in_windows(decoder.network, tokenizer, text)
    print(f"windows of 256 characters: {narrow:.4f}")
    whole = nats_per_character(decoder.network, tokenizer, text)
    print(f"whole windows at once, without the cache: {whole:.4f}")
    sliding = sliding_nats_per_character(decoder, tokenizer, text)
    if sliding is not None:
        print(f"sliding on past the window: {sliding:.4f}")
    served = served_nats_per_character(decoder, tokenizer, text)
    quality = text_quality(engine, training, text)
    print(describe_quality(quality))
    if args.write:
        write_figures(args.checkpoint, METRICS[args.split], narrow, quality)
    print(f"nats_per_char {served:.4f}")


def write_figures(checkpoint: Path, metric: str, narrow: float, quality: dict[str, Any]) -> None:
    """Add to metrics.json what releases from before it was measured lack."""
    metrics = read_metrics(checkpoint) | {f"{metric}_in_256": round(narrow, 5), "text_quality": quality}
    write_atomically(checkpoint / METRICS_FILE, (json.dumps(metrics, indent=2) + "\n").encode())
