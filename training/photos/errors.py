"""What goes wrong with the user's data, in words fit to print without a traceback."""

from training.errors import TrainingError


class DataError(TrainingError):
    """A folder of photos that is missing, incomplete or altered."""
