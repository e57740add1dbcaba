"""Score a checkpoint on the validation text as it is served: its dtype, its cache, its batches."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.checkpoint import CheckpointError, read_metrics
from models.gpt.engine import TextEngine
from training.arguments import pick_device
from training.run import TrainingError
from training.text.data import TINY_SHAKESPEARE_URL, read_text, split_text
from training.text.evaluate import (
    nats_per_character,
    served_nats_per_character,
    sliding_nats_per_character,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", default=TINY_SHAKESPEARE_URL, metavar="PATH|URL")
    parser.add_argument("--sha256", help="what a download from another URL than the default must have")
    parser.add_argument("--split", choices=("dev", "release"), default="release")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, metavar="N")


def run(args: argparse.Namespace) -> None:
    """Print the metrics; the last line is `nats_per_char` and the served one."""
    pick_device(args.device, args.threads)
    _, text = split_text(read_text(args.data, args.sha256), args.split)
    try:
        engine = TextEngine.load(args.checkpoint, args.device)
    except CheckpointError as error:
        raise TrainingError(str(error)) from None
    decoder, tokenizer = engine.decoder, engine.tokenizer
    num_tokens = len(tokenizer.encode(text))
    print(f"{args.checkpoint}: {engine.describe()['parameters']} parameters, {tokenizer.name}")
    print(f"text: {len(text)} characters, {num_tokens} tokens, window {decoder.context} tokens")
    for name, value in read_metrics(args.checkpoint).items():
        if name.endswith(("nats_per_character", "float32")):
            print(f"said by metrics.json: {name} {value:.4f}")
    whole = nats_per_character(decoder.network, tokenizer, text)
    print(f"whole windows at once, without the cache: {whole:.4f}")
    sliding = sliding_nats_per_character(decoder, tokenizer, text)
    if sliding is not None:
        print(f"sliding on past the window: {sliding:.4f}")
    print(f"nats_per_char {served_nats_per_character(decoder, tokenizer, text):.4f}")
