"""What goes wrong with the user's data, in words fit to print without a traceback."""


class DataError(ValueError):
    """A folder of photos that is missing, incomplete or altered."""
