"""``python -m service``: `prospero serve`. Workers import this too, and shall not pay for what main needs."""

import sys

if __name__ == "__main__":
    from prospero import serve

    sys.exit(serve("python -m service", sys.argv[1:]))
