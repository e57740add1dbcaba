"""Train a GPT on a text and write its checkpoint; under torchrun, with all the processes that it starts."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.gpt.tokenizer import Tokenizer
from training.arguments import add_run_arguments, pick_device, plan_settings, positive
from training.errors import TrainingError
from training.loop import Loop
from training.places import check_out
from training.publishing import publish_better
from training.ranks import Ranks, join_ranks
from training.run import Run
from training.text.best import WATCHED, Best
from training.text.cooldown import start_cooldown
from training.text.corpus import load_corpus
from training.text.evaluate import nats_per_character
from training.text.feeding import make_batches, make_weights
from training.text.result import METRICS, write_result
from training.text.settings import PRESETS, TextSettings
from training.text.tokenizing import TOKENIZER, check_alphabet, kept_tokenizer, make_tokenizer
from training.text.trainer import Trainer


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
            corpus = load_corpus(args, run, settings)
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
        best = Best()
        if state is not None:
            trainer.restore(state)
            best = Best(**state.get("best", {}))  # states may be from before there was one
        introduce(run, trainer, tokenizer, ranks)

        # The release split is looked at once, when training is over: choices are made on other text.
        text, metric = (
            (corpus.validation, METRICS["dev"]) if settings.split == "dev" else (corpus.watched, WATCHED)
        )

        def evaluate() -> dict[str, float]:
            context = settings.context_at(run.step - 1)
            score = nats_per_character(trainer.average.network, tokenizer, text, context)
            if metric == WATCHED:
                best.offer(trainer.average.network, score, run.step)
            return {metric: round(score, 5)}

        is_done = Loop(
            run,
            trainer.train_step,
            lambda: trainer.state() | {TOKENIZER: tokenizer.to_json().decode(), "best": best.state()},
            settings.save_every,
            evaluate=evaluate if text and ranks.is_main else None,
            evaluate_every=settings.eval_every,
            scores=(metric,),
            ranks=ranks,
        ).train()
        if ranks.is_main:
            if is_done:
                best.apply(trainer.average.network)
            checkpoint = folder / "checkpoint"
            write_result(run, trainer, tokenizer, corpus, (args.out or checkpoint).name, best)
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
