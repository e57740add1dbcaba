"""What goes wrong with a job, in words fit to print without a traceback."""


class TrainingError(Exception):
    """A run that can't start or go on, for a reason that its user can mend. Its text is fit to print."""
