"""What to run on a machine with a GPU when there is one for minutes: tests, rates, floors, baselines."""
