"""Train a GPT on a text and write its checkpoint; under torchrun, with all the processes that it starts."""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.checkpoint import CheckpointError, read_config
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import BPETokenizer, Tokenizer, parse_tokenizer, read_tokenizer
from training.arguments import add_run_arguments, pick_device, plan_settings, positive
from training.download import is_url
from training.errors import TrainingError
from training.loop import Loop
from training.places import check_out
from training.publishing import publish_better
from training.ranks import Ranks, join_ranks
from training.run import DataIdentity, Run
from training.text.cooldown import start_cooldown
from training.text.data import TINY_SHAKESPEARE_URL, Batches, Corpus, Tokens, read_corpus
from training.text.echo import Echo
from training.text.evaluate import nats_per_character
from training.text.mentions import MentionWeights
from training.text.renaming import Renamer
from training.text.result import METRICS, write_result
from training.text.settings import PRESETS, TextSettings
from training.text.trainer import Trainer
from training.text.vocabulary import DroppedBPE, make_bpe, make_characters

TOKENIZER = "tokenizer"  # its name in the state


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, PRESETS)
    parser.add_argument(
        "--data",
        metavar="PATH|URL",
        help="file, folder of .txt and .md, or URL (default: Tiny Shakespeare, or what the run has)",
    )
    parser.add_argument("--sha256", help="what a download from another URL than the default must have")
    parser.add_argument(
        "--finish",
        type=positive,
        nargs="?",
        const=0,
        metavar="STEPS",
        help="decay the rate from the state in --run over so many steps (default: decay_fraction of all) and "
        "write the checkpoint, with the run's own settings and changes by --set; the same again goes on",
    )


def run(args: argparse.Namespace) -> int:
    """Train as the arguments say; TrainingError where they can't be followed."""
    check_out(args.out, args.run)
    with join_ranks(args.device) as ranks:
        device = pick_device(ranks.device, args.threads)
        with ranks.main_first():
            folder, settings, is_resumed = plan(args)
            run = Run(folder, settings, settings.steps, is_resumed, args.max_minutes, ranks.is_main)
            state = run.load_state(device) if is_resumed else None
            corpus = load_corpus(args, run, settings.split)
        if settings.batch % ranks.world:
            raise TrainingError(f"--set batch={settings.batch}: can't be shared by {ranks.world} processes")
        if settings.network == "lstm" and args.out is not None:
            raise TrainingError("--out: an LSTM is measured, not served; its figures stay in --run")
        tokenizer = kept_tokenizer(state) or make_tokenizer(corpus.training, settings)
        check_alphabet(tokenizer, corpus)
        batches = make_batches(corpus.training, tokenizer, settings)
        config = settings.network_config(len(tokenizer.pieces), corpus.described)
        weigh = make_weights(corpus.training, tokenizer, settings)
        trainer = Trainer(config, settings, batches, device, ranks, weigh)
        if state is not None:
            trainer.restore(state)
        introduce(run, trainer, tokenizer, ranks)

        def evaluate() -> dict[str, float]:
            context = settings.context_at(run.step - 1)
            score = nats_per_character(trainer.average.network, tokenizer, corpus.validation, context)
            return {"dev_nats_per_character": round(score, 5)}

        # The release split is looked at once, when training is over: choices are made on the dev split.
        is_evaluated = settings.split == "dev" and ranks.is_main
        is_done = Loop(
            run,
            trainer.train_step,
            lambda: trainer.state() | {TOKENIZER: tokenizer.to_json().decode()},
            settings.save_every,
            evaluate=evaluate if is_evaluated else None,
            evaluate_every=settings.eval_every,
            ranks=ranks,
        ).train()
        if ranks.is_main:
            checkpoint = folder / "checkpoint"
            write_result(run, trainer, tokenizer, corpus, (args.out or checkpoint).name)
            if is_done and args.out is not None:
                run.say(publish_better(checkpoint, args.out, METRICS[settings.split], args.force))
        run.close()
        return run.exit_status


def plan(args: argparse.Namespace) -> tuple[Path, TextSettings, bool]:
    """The run's folder, its settings, and whether there is a state to go on from."""
    if args.finish is not None:
        folder, settings = start_cooldown(args.run, args.set, args.finish)
        return folder, settings, True
    return args.run, plan_settings(args, PRESETS), args.resume


def introduce(run: Run, trainer: Trainer, tokenizer: Tokenizer, ranks: Ranks) -> None:
    num_parameters = sum(p.numel() for p in trainer.network.parameters())
    shared = f" in {ranks.world} processes" if ranks.world > 1 else ""
    run.say(f"{num_parameters / 1e6:.2f}M parameters, {tokenizer.name}, on {trainer.device}{shared}")


def load_corpus(args: argparse.Namespace, run: Run, split: Literal["dev", "release"]) -> Corpus:
    """The text that is asked for, or else what the run's state is from; TrainingError if these differ."""
    kept = None if run.data is None else run.data.source
    source = args.data or kept or TINY_SHAKESPEARE_URL
    corpus = read_corpus(source, args.sha256, split)
    found_again = source if is_url(source) else str(Path(source).resolve())
    run.settle_data(DataIdentity(corpus.name, corpus.sha256, found_again))
    return corpus


def kept_tokenizer(state: dict[str, Any] | None) -> Tokenizer | None:
    """The tokenizer that a state was trained with; states may be from before they had it."""
    return parse_tokenizer(state[TOKENIZER]) if state is not None and TOKENIZER in state else None


def check_alphabet(tokenizer: Tokenizer, corpus: Corpus) -> None:
    """TrainingError when the validation part can't be encoded."""
    try:
        tokenizer.encode(corpus.validation)
    except ValueError as error:
        raise TrainingError(
            f"{corpus.name}: the validation part has characters that training lacks ({error})"
        ) from None


def make_tokenizer(text: str, settings: TextSettings) -> Tokenizer:
    if settings.start_from is not None:
        folder = Path(settings.start_from)
        try:
            return read_tokenizer(folder, read_config(folder, GPTConfig).vocabulary)
        except CheckpointError as error:
            raise TrainingError(f"start_from={error}") from None
    if settings.tokenizer == "characters":
        return make_characters(text + "\n")  # scores and samples begin at a line's end
    return make_bpe(text, settings.vocabulary)


def make_weights(text: str, tokenizer: Tokenizer, settings: TextSettings) -> MentionWeights | None:
    """How much names count where they are new; None where all tokens count alike."""
    if settings.invented_weight == settings.name_weight == 1:
        return None
    names = Renamer(text, settings.renaming, settings.seed).names
    return MentionWeights(text, names, tokenizer.pieces, settings.invented_weight, settings.name_weight)


def make_batches(text: str, tokenizer: Tokenizer, settings: TextSettings) -> Batches:
    """Windows of the training text; each epoch may have other names and split words otherwise."""
    renamer = Renamer(text, settings.renaming, settings.seed) if settings.renaming else None
    dropped = None
    if settings.bpe_dropout and isinstance(tokenizer, BPETokenizer):
        dropped = DroppedBPE(tokenizer, settings.bpe_dropout, settings.seed)

    @lru_cache(maxsize=1)  # a text that stays as it is need not be split again each epoch
    def split(named: str) -> Tokens:
        return np.array(tokenizer.encode(named), dtype=np.int64)

    def tokens_of(epoch: int) -> Tokens:
        named = renamer.text_of(epoch) if renamer else text
        return dropped.encode(named, epoch) if dropped else split(named)

    echo = Echo(settings.echo_steps, settings.seed) if settings.echo_steps else None
    return Batches(tokens_of, settings, echo)
