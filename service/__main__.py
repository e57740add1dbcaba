"""``python -m service``: `prospero serve`. Workers import this too, and shall not pay for what main needs."""

import signal
import sys


def serve(program: str, arguments: list[str]) -> int:
    """Serve until a signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as by nohup
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # no traceback of imports; `ShutdownController` takes over
    from service.run import main

    return main(program, arguments)


if __name__ == "__main__":
    sys.exit(serve("python -m service", sys.argv[1:]))
