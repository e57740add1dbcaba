"""`python -m training text | evaluate | landscape …`: one subcommand per job; its module adds arguments."""

from __future__ import annotations

import argparse
import importlib
import sys

from training.run import TrainingError

# name: (module with add_arguments(parser) and run(args), help)
JOBS = {
    "text": ("training.text.job", "train a GPT on text"),
    "landscape": ("training.landscape.job", "train the landscape GAN"),
    "segmenter": ("training.segmenter.job", "train the segmenter that is served"),
    "eval-segmenter": ("training.eval_segmenter.job", "train the network that measures the landscape GAN"),
    "pix2pix": ("training.pix2pix.job", "train the baseline that the landscape GAN must beat"),
    "evaluate-landscape": (
        "training.evaluation.job",
        "measure a landscape checkpoint beside its baselines",
    ),
    "lab": ("training.lab.job", "train a 2-D GAN, into an animation and figures"),
    "seq2seq": ("training.seq2seq.job", "measure what attention did for encoder–decoders"),
    "evaluate": ("training.text.scoring", "score a GPT checkpoint as it is served"),
    "report": ("training.text.timing", "print how long text runs took to reach a score"),
    "import": ("training.text.importing", "bring in a checkpoint of nanoGPT or Hugging Face (GPT-2, Llama)"),
}

EARLIER_NAMES = {"eval-segmenter": ("judge",), "seq2seq": ("lineage",)}  # of jobs, still understood


def main(arguments: list[str] | None = None) -> int:
    """Run one job; 0 when it is done, 1 with a line on stderr when its user has to mend something."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True)
    for name, (module_name, help_text) in JOBS.items():
        module = importlib.import_module(module_name)
        job = jobs.add_parser(
            name, aliases=EARLIER_NAMES.get(name, ()), help=help_text, description=module.__doc__
        )
        module.add_arguments(job)
        job.set_defaults(run_job=module.run)
    args = parser.parse_args(arguments)
    try:
        args.run_job(args)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from the last saved state", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
