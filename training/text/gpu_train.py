"""A GPT in the minutes that a GPU is lent for: `make gpu-train-text`.

    python -m training.text.gpu_train --data input.txt --out FOLDER --seconds 360

Measures how fast a step is, plans as many as the time allows, trains, and leaves in FOLDER a checkpoint,
which is scored at home (`prospero evaluate text`), with the rate and the card's use in `facts.json`.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import os
import time
from pathlib import Path

import torch
import torch._dynamo

from models.checkpoint import save_checkpoint
from models.gpt.config import GPTConfig
from models.gpt.tokenizer import TOKENIZER_FILE, Tokenizer
from training.arguments import pick_device, resolve_settings
from training.errors import TrainingError
from training.places import check_report_folder
from training.text.corpus import read_corpus
from training.text.echo import SHORT_PART
from training.text.feeding import make_batches, make_weights
from training.text.reading import TINY_SHAKESPEARE_URL
from training.text.settings import PRESETS
from training.text.tokenizing import make_tokenizer
from training.text.trainer import Trainer
from training.timed import Pace, card_use, profile, time_steps, train

MOST_PROCESSES = 12  # an epoch of Shakespeare takes one of them 2 s, and the device six steps


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=TINY_SHAKESPEARE_URL, metavar="PATH|URL")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=360, help="for all of it")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="gpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--profile", action="store_true", help="write where a few steps' time goes")
    parser.add_argument(
        "--processes", type=int, default=spare_cores(), help="that split the text anew for the next epochs"
    )
    args = parser.parse_args()
    deadline = time.monotonic() + args.seconds
    torch._dynamo.config.suppress_errors = True  # what can't be compiled here runs as it is
    try:
        check_report_folder(args.out, "facts.json")
        settings = resolve_settings(PRESETS[args.preset], args.set)
        device = pick_device(args.device, None)
        corpus = read_corpus(args.data, None, settings.split, settings.held_back)
        tokenizer = make_tokenizer(corpus.training, settings)
        batches = make_batches(corpus.training, tokenizer, settings, args.processes)
        weigh = make_weights(corpus.training, tokenizer, settings)
        config = settings.network_config(len(tokenizer.pieces), corpus.described)
        trainer = Trainer(config, settings, batches, device, weigh=weigh)
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from None
    args.out.mkdir(parents=True, exist_ok=True)
    facts_file = args.out / "facts.json"
    facts_file.write_text("{}\n")  # whose folder this is, should all be stopped half-way

    def plan(steps: int) -> None:
        trainer.settings = trainer.batches.settings = settings.model_copy(update={"steps": steps})

    pace = time_usual_steps(trainer, deadline, args.out / "profile.txt" if args.profile else None)
    log = args.out / "log.jsonl"
    facts = train(trainer, deadline, pace, log, plan, lambda: keep(trainer, tokenizer, args.out))
    keep(trainer, tokenizer, args.out)
    facts["tokens_per_second"] = facts["steps_per_second"] * settings.batch * settings.max_seq_len
    facts |= card_use(trainer, settings.echo_steps, facts["steps_per_second"], is_causal=True)
    batches.close()
    facts_file.write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts))


def time_usual_steps(trainer: Trainer, deadline: float, profile_file: Path | None) -> Pace:
    """Time, and perhaps profile, steps of windows as most are; all but the place in the data is undone.

    Those of cut windows, at the start, are timed too, so that the plan knows of them.
    """
    usual = trainer.settings.echo_steps
    num_cut = math.ceil(usual * SHORT_PART)
    before = copy.deepcopy(trainer.state())
    cut = time_steps(trainer, deadline) if num_cut else None
    pace = time_steps(trainer, deadline, usual)
    if profile_file is not None:
        profile(trainer, profile_file, usual)
    now = trainer.state()
    trainer.restore(before | {name: now[name] for name in ("shard", "place")})
    if trainer.device.type == "cuda":
        del before, now
        torch.cuda.reset_peak_memory_stats()
    more = num_cut * (1 / cut.steps_per_second - 1 / pace.steps_per_second) if cut else 0.0
    return dataclasses.replace(pace, next_step=0, more_seconds=max(more, 0.0))


def spare_cores() -> int:
    """Cores that neither the device's driver nor what else runs needs; MOST_PROCESSES at most."""
    return max(0, min(len(os.sched_getaffinity(0)) - 2, MOST_PROCESSES))


def keep(trainer: Trainer, tokenizer: Tokenizer, out: Path) -> None:
    """Write the averaged weights as a checkpoint."""
    network = trainer.average.network
    assert isinstance(network.config, GPTConfig)
    tensors = {name: tensor.to("cpu", torch.bfloat16) for name, tensor in network.state_dict().items()}
    readme = "# A GPT from a card that was lent\n\nNot scored yet.\n"
    files = {TOKENIZER_FILE: tokenizer.to_json()}
    save_checkpoint(out / "checkpoint", network.config, tensors, {}, readme, files)


if __name__ == "__main__":
    main()
