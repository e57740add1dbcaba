"""Every job, and how it is run: `prospero train text` is ``python -m training text``.

A job is a module with ``add_arguments(parser)`` and ``run(args)``, imported once it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import NamedTuple, NoReturn

from models.checkpoint import CheckpointError
from training.errors import TrainingError
from training.stopping import Interrupted, end_on_signals


class Job(NamedTuple):
    """What `prospero` calls it, where it is, and what it does."""

    command: str
    module: str
    does: str


JOBS = {
    "text": Job("train text", "training.text.job", "train a GPT on text"),
    "landscape": Job("train landscape", "training.landscape.job", "train the landscape GAN"),
    "segmenter": Job("train segmenter", "training.segmenter.job", "train the segmenter that is served"),
    "eval-segmenter": Job(
        "train eval-segmenter",
        "training.eval_segmenter.job",
        "train the network that measures the landscape GAN",
    ),
    "pix2pix": Job(
        "train pix2pix", "training.pix2pix.job", "train the baseline that the landscape GAN must beat"
    ),
    "lab": Job("train lab", "training.lab.job", "train a 2-D GAN, into an animation and figures"),
    "seq2seq": Job(
        "train seq2seq", "training.seq2seq.job", "measure what attention did for encoder–decoders"
    ),
    "evaluate": Job("evaluate text", "training.text.scoring", "score a GPT checkpoint as it is served"),
    "evaluate-landscape": Job(
        "evaluate landscape",
        "training.evaluation.job",
        "measure a landscape checkpoint beside its baselines",
    ),
    "report": Job("report", "training.text.timing", "print how long text runs took to reach a score"),
    "import": Job(
        "import", "training.text.importing", "bring in a checkpoint of nanoGPT or Hugging Face (GPT-2, Llama)"
    ),
    "export": Job("export", "training.text.gguf_export", "write a GPT checkpoint as GGUF, for llama.cpp"),
}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help lists the arguments)\n")


def make_parser(job: Job, program: str) -> argparse.ArgumentParser:
    """The parser of a job's arguments, which imports the job."""
    module = importlib.import_module(job.module)
    parser = Parser(
        prog=program,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.set_defaults(run_job=module.run)
    return parser


def run_job(job: Job, program: str, arguments: list[str]) -> int:
    """Run one job.

    Returns:
        0 when it is done, 1 with a line on stderr when its user has to mend something, 128 and the number of
        the signal that ended it.
    """
    try:
        parser = make_parser(job, program)
    except ModuleNotFoundError as error:
        if error.name not in ("gguf", "matplotlib"):  # the extra's
            raise
        print(f"error: {program} needs {error.name}: pip install '.[train]' in the checkout", file=sys.stderr)
        return 1
    args = parser.parse_args(arguments)
    try:
        with end_on_signals():
            return args.run_job(args) or 0
    except (TrainingError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a disk that is full, a folder that may not be written to
        print(f"error: {error.filename or program}: {error.strerror or error}", file=sys.stderr)
        return 1
    except Interrupted as interrupt:
        run = getattr(args, "run", None)
        has_state = run is not None and (run / "state.pt").exists()
        hint = "; --resume goes on from the last saved state" if has_state else ""
        print(f"interrupted{hint}", file=sys.stderr)
        return 128 + interrupt.number
