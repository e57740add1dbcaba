"""Train a GPT on a text and write its checkpoint."""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.checkpoint import save_checkpoint
from models.gpt.engine import TextEngine
from models.gpt.tokenizer import TOKENIZER_FILE, BPETokenizer, Tokenizer
from training.download import is_url
from training.run import Run, TrainingError, add_run_arguments, pick_device, resolve_settings
from training.text.data import TINY_SHAKESPEARE_URL, Batches, Tokens, read_text, split_text
from training.text.evaluate import nats_per_character
from training.text.report import draw_curve, draw_samples, write_readme
from training.text.settings import PRESETS, TextSettings
from training.text.train import Trainer, train
from training.text.vocabulary import DroppedBPE, make_bpe, make_characters

# One name per split, so that figures on different texts are never compared.
FIGURES = {"dev": "dev_nats_per_character", "release": "validation_nats_per_character"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, PRESETS)
    parser.add_argument(
        "--data", default=TINY_SHAKESPEARE_URL, metavar="PATH|URL", help="UTF-8 file, folder of .txt, or URL"
    )
    parser.add_argument("--sha256", help="what a download from another URL than the default must have")


def run(args: argparse.Namespace) -> None:
    """Train as the arguments say; TrainingError where they can't be followed."""
    settings = resolve_settings(PRESETS[args.preset], args.set)
    device = pick_device(args.device, args.threads)
    text = read_text(args.data, args.sha256)
    training_text, validation_text = split_text(text, settings.split)
    if not validation_text:
        raise TrainingError(f"{args.data}: {len(text)} characters are too few to split")
    tokenizer = make_tokenizer(training_text, settings)
    batches = make_batches(training_text, tokenizer, settings)
    described = f"{args.data.rsplit('/', 1)[-1]}: {len(training_text)} of {len(text)} characters"
    config = settings.network_config(len(tokenizer.pieces), described)
    try:
        validation_tokens = tokenizer.encode(validation_text)
    except ValueError as error:
        raise TrainingError(
            f"{args.data}: the validation part has characters that training lacks ({error})"
        ) from None
    folder = Run(args.run, settings, settings.steps, args.resume, args.max_minutes)
    trainer = Trainer(config, settings, batches, device)
    if args.resume:
        trainer.restore(folder.load_state(device))
    num_parameters = sum(p.numel() for p in trainer.network.parameters())
    folder.say(
        f"{num_parameters / 1e6:.2f}M parameters, {tokenizer.name}, "
        f"{len(validation_text) / len(validation_tokens):.2f} characters a token, on {device}"
    )
    # The release split is looked at once, when training is over: choices are made on the dev split.
    evaluate = partial(nats_per_character, tokenizer=tokenizer, text=validation_text)
    watch = evaluate if settings.split == "dev" else None
    if train(trainer, folder, watch):
        finish(args, settings, folder, trainer, tokenizer, validation_text)
    folder.close()


def make_tokenizer(text: str, settings: TextSettings) -> Tokenizer:
    return (
        make_characters(text) if settings.tokenizer == "characters" else make_bpe(text, settings.vocabulary)
    )


def make_batches(text: str, tokenizer: Tokenizer, settings: TextSettings) -> Batches:
    """Windows of the training text, under BPE dropout if the settings ask for it."""
    if settings.bpe_dropout and isinstance(tokenizer, BPETokenizer):
        dropped = DroppedBPE(tokenizer, text, settings.bpe_dropout, settings.seed)
        return Batches(dropped.tokens_of, settings.context, settings.batch, settings.seed)
    tokens: Tokens = np.array(tokenizer.encode(text), dtype=np.int64)
    return Batches(lambda _: tokens, settings.context, settings.batch, settings.seed)


def finish(
    args: argparse.Namespace,
    settings: TextSettings,
    folder: Run,
    trainer: Trainer,
    tokenizer: Tokenizer,
    validation_text: str,
) -> None:
    """Write the averaged weights, rounded to bfloat16 and scored as rounded, with their papers."""
    network, figure = trainer.average, FIGURES[settings.split]
    exact = nats_per_character(network, tokenizer, validation_text)
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in network.state_dict().items()}
    network.load_state_dict(tensors)
    metrics = {
        figure: round(nats_per_character(network, tokenizer, validation_text), 5),
        f"{figure}_float32": round(exact, 5),
        "validation_split": "last 10 %" if settings.split == "release" else "last 5 % of the training part",
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "characters_per_token": round(len(validation_text) / len(tokenizer.encode(validation_text)), 3),
        "steps": folder.step,
        "training_seconds": round(folder.seconds, 1),
        "threads": torch.get_num_threads() if trainer.device.type == "cpu" else 0,
        "device": trainer.device.type,
    }
    samples = draw_samples(TextEngine(network, tokenizer, max_slots=4))
    changes = [word for change in args.set for word in ("--set", change)]
    data = args.data if is_url(args.data) else Path(args.data).name
    command = shlex.join(
        ["python", "-m", "training", "text", "--data", data, "--preset", args.preset, *changes]
    )
    name = (args.out or args.run / "checkpoint").name
    files = {TOKENIZER_FILE: tokenizer.to_json(), "curve.png": draw_curve(folder.read_log())}
    readme = write_readme(name, settings, metrics, samples, command)
    fresh = args.run / "checkpoint"
    save_checkpoint(fresh, network.config, tensors, metrics, readme, files)
    for request, text in samples:
        folder.say(f"--- {request.prompt!r}, seed {request.seed}\n{request.prompt}{text}")
    folder.say(f"{fresh}: {figure} {metrics[figure]:.4f}")
    folder.publish(fresh, args.out, figure, args.force)
