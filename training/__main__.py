"""`python -m training text | evaluate | landscape …`: one job; `prospero` runs the same ones."""

from __future__ import annotations

import argparse
import sys

from training.jobs import JOBS, run_job

EARLIER_NAMES = {"judge": "eval-segmenter", "lineage": "seq2seq"}  # of jobs, still understood


def main(arguments: list[str] | None = None) -> int:
    """Run one job, and return its exit status; ``JOB --help`` lists its arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        epilog="\n".join(f"{name:20} {job.does}" for name, job in JOBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", choices=[*JOBS, *EARLIER_NAMES], metavar="JOB")
    given = sys.argv[1:] if arguments is None else arguments
    name = parser.parse_args(given[:1]).job
    name = EARLIER_NAMES.get(name, name)
    return run_job(JOBS[name], f"python -m training {name}", given[1:])


if __name__ == "__main__":
    sys.exit(main())
